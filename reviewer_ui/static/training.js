/* Training: start, follow, stop, compare, promote, go back. Fragments come escaped from the server. */
(() => {
  const V = window.CoefVQ;
  const POLL_MS = 1500;
  const LOOK_MS = 30000;

  V.boots.training = (page, server) => {
    const find = (name) => page.querySelector(name);
    const chosen = () => find("#gate-version").value;
    let inForce = {};  // what was in force when this person looked
    let stamp = "";
    let confirmed = null;
    let polling = 0;
    let wanted = new URLSearchParams(location.search).get("version") || "";

    /* The page is not for this person: say so where its content would be. */
    function refused(words) {
      const line = document.createElement("p");
      line.className = "card tip";
      line.textContent = words;
      find("#training-note").replaceChildren(line);
    }
    /* Drawn again only where somebody does not write in it just now. */
    function apply(regions) {
      const note = find("#promote-note")?.value;
      const open = new Map([...page.querySelectorAll("details")].map((each) => [key(each), each.open]));
      for (const id of V.apply(regions)) {
        for (const each of document.getElementById(id).querySelectorAll("details")) {
          if (open.has(key(each))) each.open = open.get(key(each));
        }
      }
      if (note && find("#promote-note") && !find("#promote-note").value) {
        find("#promote-note").value = note;
      }
      page.classList.toggle("empty", !chosen());
    }
    const key = (details) => `${details.closest("[id]")?.id} ${details.querySelector("summary")?.textContent}`;

    function show(answer) {
      if (!answer) return;
      if (answer.error) {
        if (page.classList.contains("ready")) V.notify(answer.error, { bad: true, seconds: 12 });
        else refused(answer.error);
        return;
      }
      if (answer.clear) find(`form[data-form="${answer.clear}"]`)?.reset();
      if (answer.in_force) inForce = answer.in_force;
      if (answer.stamp !== undefined) stamp = answer.stamp;
      apply(answer.regions || {});
      if (answer.note) V.notify(answer.note.text, answer.note);
      page.classList.add("ready");
      if (answer.counted) count();
      if (answer.busy) poll();
    }
    async function ask(name, args = {}) {
      const answer = await V.call(server, name, { version: chosen() || wanted, ...args });
      wanted = "";
      if (answer?.code === "models_changed") {
        sure("Something changed meanwhile", answer.error, "Look again", false, () => ask("overview"));
        return null;
      }
      show(answer);
      return answer && !answer.error ? answer : null;
    }
    async function count() {
      const answer = await V.call(server, "summary", {});
      if (answer?.regions) V.apply(answer.regions);
    }
    function poll() {
      clearTimeout(polling);
      polling = setTimeout(async () => {
        const answer = await V.call(server, "look", {});
        if (!answer || answer.error) return;
        if (answer.stamp !== stamp) await ask("overview");
        else apply(answer.regions);
        if (answer.busy) poll();
      }, POLL_MS);
    }
    function sure(title, more, yes, note, run) {
      find("#routing-ask").textContent = title;
      find("#routing-ask-more").textContent = more;
      find("#routing-yes").textContent = yes;
      const field = find("#routing-ask-note");
      field.value = "";
      field.closest("label").hidden = !note;
      confirmed = () => run(field.value);
      V.panel("routing-dialog");
      (note ? field : find("#routing-yes")).focus();
    }

    const actions = {
      cancel: ({ run }) => ask("cancel", { run }),
      resume: ({ run }) => ask("resume", { run }),
      compare: ({ version }) => ask("compare", { version }),
      shadow: () => {
        const field = find("#promote-note");
        if (!field.reportValidity()) return;
        ask("shadow", { note: field.value });
      },
      "end-shadow": ({ stage }) => ask("end_shadow", { stage }),
      rollback: ({ stage, to, from }) => sure(`Roll the ${stage} back to ${to}?`,
        `${from} is in force. The routing goes back to what it was then; workers follow before `
        + "their next video.", "Roll back", true,
        (note) => ask("rollback", { stage, note, expected: from })),
    };
    async function busy(button, run) {
      button.disabled = true;
      button.setAttribute("aria-busy", "true");
      try { await run(); } finally {
        if (button.isConnected) {
          button.removeAttribute("aria-busy");
          button.disabled = false;
        }
      }
    }
    page.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const run = actions[button.dataset.do];
      if (run) busy(button, async () => run(button.dataset));
      if (button.id === "routing-yes") {
        V.closePanel();
        confirmed?.();
      }
    });
    page.addEventListener("change", (event) => {
      if (event.target.id === "gate-version") ask("show", { version: chosen() });
    });
    function start(form) {
      const options = {};
      for (const field of form.querySelectorAll("input")) {
        if (field.type === "checkbox") options[field.name] = field.checked;
        else if (field.value !== "") options[field.name] = field.value;
      }
      return ask("start", { stage: form.dataset.stage, options });
    }
    function promote(form) {
      const note = new FormData(form).get("note");
      const stage = find("#gate-version").selectedOptions[0]?.dataset.stage;
      sure(`Promote ${chosen()}?`, "The published routing is fitted and certified again for it; if "
        + "that cannot be done, nothing changes. Workers follow before their next video.",
      "Promote", false, () => ask("promote", { note, expected: inForce[stage] }));
    }
    page.addEventListener("submit", (event) => {
      const form = event.target;
      if (!form.dataset.form) return;
      event.preventDefault();
      if (form.dataset.form === "promote") promote(form);
      else busy(form.querySelector("[type=submit]"), () => start(form));
    });
    setInterval(() => {
      const writing = page.contains(document.activeElement) && document.activeElement.matches("input");
      if (document.hidden || writing || !page.classList.contains("ready")) return;
      ask("overview");
      count();
    }, LOOK_MS);

    ask("overview").then((answer) => answer && count());
  };
})();
