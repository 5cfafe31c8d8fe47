/* Admin, quality: disputes by keyboard, other answers, golden cases, agreement, holds. */
(() => {
  const V = window.CoefVQ;

  /* The short form of another answer; everything else of the form is read as usual. */
  function own(form, read) {
    const labels = {};
    const reasons = {};
    for (const box of form.querySelectorAll("[data-policy]")) {
      const id = box.dataset.policy;
      labels[id] = box.checked;
      const reason = form.querySelector(`[data-reason="${CSS.escape(id)}"]`).value;
      if (box.checked && reason) reasons[id] = reason;
    }
    return { ...read(form), labels, reasons };
  }
  /* An action that fits what is marked, as on Review. */
  function follow(event) {
    const box = event.target.closest("[data-policy]");
    const form = box?.closest("[data-own]");
    if (!form) return;
    const action = form.querySelector("[name=action]");
    const bad = [...form.querySelectorAll("[data-policy]")].some((each) => each.checked);
    if (Boolean(action.selectedOptions[0]?.dataset.violation) === bad) return;
    const fits = [...action.options].filter((o) => Boolean(o.dataset.violation) === bad);
    action.value = (fits.find((o) => "default" in o.dataset) || fits[0])?.value;
  }

  V.sections.adjudication = ({ group, ask, read }) => {
    const place = () => group.querySelector("#dispute");
    const here = () => ({ look: place().dataset.look, offset: Number(place().dataset.offset) });
    const why = () => place().querySelector("[name=why]")?.value || "";
    const settle = (answer) => ask("settle_dispute", { ...here(), answer, why: why() });
    async function step(offset) {
      if (await ask("list_disputes", { offset })) place()?.focus();
    }
    group.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button?.dataset.settle) settle(button.dataset.settle);
      if (button?.dataset.step) step(Number(button.dataset.step));
    });
    group.addEventListener("change", follow);
    const keys = {
      1: () => group.querySelector("[data-settle=first]")?.click(),
      2: () => group.querySelector("[data-settle=second]")?.click(),
      j: () => group.querySelector(".steps button:last-child:not(:disabled)")?.click(),
      k: () => group.querySelector(".steps button:first-child:not(:disabled)")?.click(),
      o: () => {
        const more = group.querySelector("details.adding");
        if (!more) return;
        more.open = true;
        more.querySelector("[data-policy]").focus();
      },
    };
    group.addEventListener("keydown", (event) => {
      const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
      if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (!keys[event.key] || !place()) return;
      event.preventDefault();
      keys[event.key]();
    });
    return {
      load: () => ask("list_disputes", {}),
      every: 60000,
      forms: { settle_dispute: (form) => ({ ...own(form, read), ...here(), answer: "own" }) },
    };
  };

  V.sections.appeals = ({ group, ask, read }) => {
    group.addEventListener("change", follow);
    return {
      load: () => ask("list_appeals", {}),
      forms: { resolve_appeal: (form) => own(form, read) },
    };
  };

  V.sections.golden = ({ ask }) => ({ load: () => ask("list_golden", { first: true }) });

  V.sections.agreement = ({ group, ask, read }) => {
    group.addEventListener("change", ({ target }) => {
      const form = target.closest("[data-chooser]");
      if (form) ask("show_agreement", read(form));
    });
    return { load: () => ask("show_agreement", { first: true }) };
  };

  V.sections.holds = ({ ask }) => ({ load: () => ask("list_holds", {}) });
})();
