/* Admin, events: filter, pages, verification. */
(() => {
  window.CoefVQ.sections.events = ({ group, ask, read }) => {
    const form = () => group.querySelector("form");
    const values = () => (form() ? read(form()) : {});

    group.addEventListener("click", async ({ target }) => {
      const button = target.closest("button");
      if (!button) return;
      if ("older" in button.dataset) {
        const before = button.dataset.older ? Number(button.dataset.older) : null;
        await ask("list_events", { ...values(), before });
        group.scrollIntoView();
      }
      if (button.dataset.do === "verify-chain") {
        button.disabled = true;
        button.textContent = "Verifying…";
        if (!await ask("verify_events")) {
          button.disabled = false;
          button.textContent = "Verify the chain";
        }
      }
    });
    /* Cleared fields are empty only after the event. */
    group.addEventListener("reset", () => setTimeout(() => {
      for (const field of form().elements) if (field.name) field.value = "";
      ask("list_events", {});
    }));
    return { load: () => ask("list_events", { first: true }) };
  };
})();
