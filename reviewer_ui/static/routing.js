/* Routing: versions, replay, publish, roll back, trials. Fragments come escaped from the server. */
(() => {
  const V = window.CoefVQ;
  const LARGEST = 1000000;
  const PERCENT = new Set(["budget", "miss_rate", "share"]);

  V.boots.routing = (page, server) => {
    const find = (name) => page.querySelector(name);
    const chosen = () => find("#routing-version").value;
    let task = new URLSearchParams(location.search).get("task") || "";
    let expected = "";  // what was in force when this person looked
    let confirmed = null;

    /* The page is not for this person: say so where its content would be. */
    function refused(words) {
      const line = document.createElement("p");
      line.className = "card tip";
      line.textContent = words;
      find("#routing-note").replaceChildren(line);
    }
    function enable() {
      const none = !chosen();
      for (const name of ["#replay-run", "#publish-routing", "#start-trial"]) {
        find(name).disabled = none;
      }
    }
    /* What is chosen stays chosen when the list of versions is drawn again. */
    function apply(regions, wanted) {
      const before = wanted || chosen();
      V.apply(regions);
      const select = find("#routing-version");
      if ([...select.options].some((option) => option.value === before)) select.value = before;
      enable();
    }
    function show(answer) {
      if (answer.error) {
        if (page.classList.contains("ready")) V.notify(answer.error, { bad: true, seconds: 12 });
        else refused(answer.error);
        return;
      }
      if (answer.task) { task = answer.task; expected = answer.in_force; }
      apply(answer.regions || {}, answer.choose);
      if (answer.clear) find(`form[data-form="${answer.clear}"]`).reset();
      const button = answer.offer ? { label: "Roll back", action: answer.offer } : null;
      if (answer.note) V.notify(answer.note.text, { ...answer.note, button });
      page.classList.add("ready");
      if (answer.task) figures();
    }
    /* Figures of running trials come after the page, which need not wait for them. The place is
       emptied first: apply() skips what it drew there before. */
    async function figures() {
      for (const { id, dataset } of [...page.querySelectorAll("[data-figures]")]) {
        const answer = await V.call(server, "show_trial", { task, trial: dataset.figures });
        if (!answer?.regions) continue;
        V.apply({ [id]: "" });
        V.apply(answer.regions);
      }
    }
    /* One call. Where somebody else changed the routing meanwhile, the person confirms first. */
    async function ask(name, args = {}) {
      const answer = await V.call(server, name, { task, expected, ...args });
      if (!answer) return null;
      if (answer.code === "routing_changed") {
        sure("Somebody else was faster", answer.error, "Do it all the same", false, async () => {
          await ask("overview");
          await ask(name, { ...args, expected });
        });
        return null;
      }
      show(answer);
      return answer.error ? null : answer;
    }
    /* Reading the history for the first time takes several calls. */
    async function whole(name, args) {
      let answer = await ask(name, args);
      while (answer?.again !== undefined) {
        const share = Math.round(answer.again * 100);
        if (name === "fit") V.notify(`Reading the decided cases: ${share} %`, { seconds: 30 });
        answer = await ask(name, args);
      }
      return answer;
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

    function rollback() {
      const to = find("[data-do=rollback][data-to]")?.dataset.to;
      if (!to) return;
      sure(`Roll ${task} back to ${to}?`, `${expected} is in force. Workers follow before their `
        + "next video; trials of the task end.", "Roll back", true,
      (note) => ask("rollback", { note }));
    }
    const actions = {
      rollback,
      "look-again": () => ask("overview"),
      "stop-trial": ({ trial, title }) => sure(`Stop it? ${title}`,
        "All traffic goes by the version in force from the next video on.", "Stop", true,
        (note) => ask("stop_trial", { trial, note })),
      "show-trial": ({ trial }) => ask("show_trial", { trial }),
    };
    async function busy(button, run) {
      button.disabled = true;
      button.setAttribute("aria-busy", "true");
      try { await run(); } finally {
        button.removeAttribute("aria-busy");
        button.disabled = false;
        enable();
      }
    }
    page.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const { do: name, task: other, choose } = button.dataset;
      if (actions[name]) actions[name](button.dataset);
      if (other !== undefined && other !== task) {
        V.apply({ "replay-diff": "" });
        ask("overview", { task: other });
        history.replaceState(null, "", `?task=${encodeURIComponent(other)}`);
      }
      if (choose) {
        find("#routing-version").value = choose;
        find("#routing-version").focus();
        V.apply({ "replay-diff": "" });
      }
      if (button.id === "routing-yes") {
        V.closePanel();
        confirmed?.();
      }
      if (button.id === "replay-run") {
        const args = { version: chosen(), fresh: find("#routing-fresh").checked };
        busy(button, () => whole("replay", args));
      }
    });
    /* V.apply skips what it drew already: a result that was taken off the page is drawn again. */
    find("#routing-version").addEventListener("change", () => {
      V.apply({ "replay-diff": "" });
      enable();
    });

    function read(form) {
      const args = { version: chosen() };
      for (const [name, value] of new FormData(form)) {
        if (typeof value !== "string") continue;
        args[name] = PERCENT.has(name) ? (value === "" ? null : Number(value)) : value;
      }
      return args;
    }
    /* Sent without the white space between its parts, so that a file of the full size fits into
       one call. Numbers stay as they are written: 1.0 and 1 give another version. */
    const compact = (text) => text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, word) => word || "");
    async function bringIn(args) {
      const file = find("#routing-file").files[0];
      if (file && file.size > LARGEST) {
        V.notify("The file is larger than 1 MB: it is no routing policy.", { bad: true });
        return;
      }
      const text = compact(file ? await file.text() : args.text);
      if (!text.trim()) {
        V.notify("Choose a routing.json, or paste its text.", { bad: true });
        return;
      }
      if (JSON.stringify(text).length > LARGEST) {
        V.notify("The text is larger than 1 MB: it is no routing policy.", { bad: true });
        return;
      }
      await ask("bring_in", { text });
    }
    page.addEventListener("submit", (event) => {
      const name = event.target.dataset.form;
      if (!name) return;
      event.preventDefault();
      const args = read(event.target);
      const run = { bring_in: bringIn, fit: (given) => whole("fit", given) }[name];
      busy(event.target.querySelector("[type=submit]"), () => (run ? run(args) : ask(name, args)));
    });
    page.addEventListener("change", (event) => {
      if (event.target.name === "kind") find("#trial-share").disabled = event.target.value !== "split";
    });
    page.addEventListener("reset", () => { find("#trial-share").disabled = true; });

    ask("overview");
  };
})();
