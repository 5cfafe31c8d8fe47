/* Admin, people: forms whose empty list of queues means all of them. */
(() => {
  const BUTTONS = { "edit-user": "edit_user", "disable-user": "disable_user",
    "enable-user": "enable_user" };

  window.CoefVQ.sections.people = ({ page, ask }) => {
    /* Text fields as they are, check boxes as lists; ``queues`` is null for all of them. */
    function read(form) {
      const data = new FormData(form);
      const args = { name: data.get("name") || "" };
      if (data.has("password")) args.password = data.get("password");
      if (form.querySelector("[name=roles]")) args.roles = data.getAll("roles");
      const every = form.querySelector("[name=all_queues]");
      args.queues = every && !every.checked ? data.getAll("queues") : null;
      const minutes = data.get("limit_min");
      args.limit_min = minutes === null || minutes === "" ? null : Number(minutes);
      return args;
    }
    page.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (!button) return;
      if (button.dataset.do === "close-user") page.querySelector("#user-dialog").close();
      const call = BUTTONS[button.dataset.do];
      if (call) ask(call, { name: button.dataset.name });
    });
    page.addEventListener("change", (event) => {
      const form = event.target.closest("form");
      if (event.target.name === "queues" && event.target.checked) {
        form.querySelector("[name=all_queues]").checked = false;
      }
      if (event.target.name === "all_queues" && event.target.checked) {
        for (const box of form.querySelectorAll("[name=queues]")) box.checked = false;
      }
    });
    const forms = { add_user: read, save_user: read, set_password: read };
    return { load: () => ask("overview"), forms, every: 15000 };
  };
})();
