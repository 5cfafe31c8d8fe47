/* Exports: the form with its counts, past exports, imports. Fragments come escaped from the
   server. */
(() => {
  const V = window.CoefVQ;
  const POLL_MS = 1000;
  const SETTLE_MS = 250;

  V.boots.exports = (page, server) => {
    const find = (query) => page.querySelector(query);
    const form = () => find('form[data-form="run"]');
    let confirmed = null;
    let polling = 0;
    let settling = 0;

    /* The page is not for this person: say so where its content would be. */
    function refused(words) {
      const line = document.createElement("p");
      line.className = "card tip";
      line.textContent = words;
      find("#exports-note").replaceChildren(line);
    }
    function show(answer) {
      if (!answer) return false;
      if (answer.error) {
        if (page.classList.contains("ready")) V.notify(answer.error, { bad: true, seconds: 12 });
        else refused(answer.error);
        return false;
      }
      V.apply(answer.regions || {});
      if (answer.note) V.notify(answer.note.text, answer.note);
      if (answer.busy !== undefined) follow(answer.busy);
      page.classList.add("ready");
      return true;
    }
    const ask = async (name, args = {}) => show(await V.call(server, name, args));

    /* While something is under way the lists are asked for again and again. */
    function follow(busy) {
      clearTimeout(polling);
      if (!busy) return;
      polling = setTimeout(async () => {
        const answer = document.hidden ? { busy: true } : await V.call(server, "progress", {});
        if (!answer || answer.error) follow(true);
        else show(answer);
      }, POLL_MS);
    }

    function read() {
      const args = {};
      for (const [name, value] of new FormData(form())) {
        if (typeof value === "string") args[name] = value;
      }
      for (const box of form().querySelectorAll("[type=checkbox]")) args[box.name] = box.checked;
      return args;
    }
    /* A snapshot is as it is: what chose its decisions cannot choose them again. Only one format
       has classes. */
    function fit() {
      const frozen = find("#export-snapshot").value !== "";
      for (const name of ["since", "until", "role"]) {
        const field = find(`#export-${name}`);
        field.disabled = frozen;
        if (frozen) field.value = "";
      }
      find("#export-classes").closest("label").hidden = find("#export-format").value !== "ms-swift";
    }
    function count() {
      clearTimeout(settling);
      settling = setTimeout(async () => {
        find("#export-counts").setAttribute("aria-busy", "true");
        await ask("count", read());
        find("#export-counts").removeAttribute("aria-busy");
      }, SETTLE_MS);
    }

    async function busy(button, run) {
      button.disabled = true;
      try { await run(); } finally { button.disabled = false; }
    }
    async function send(given) {
      const file = find("#import-file").files[0];
      if (!file) return;
      const query = new URLSearchParams({ format: find("#import-format").value, name: file.name });
      let answer;
      try {
        const sent = await fetch(`/exports/import?${query}`, { method: "POST", body: file });
        answer = await sent.json();
      } catch (error) {
        console.warn("import", error);
        answer = { error: "The file did not arrive. Is the server still running? Try again." };
      }
      if (answer.error) {
        V.notify(answer.error, { bad: true, seconds: 12 });
        return;
      }
      given.reset();
      V.notify("The import is under way.");
      await ask("progress");
    }
    page.addEventListener("submit", (event) => {
      const name = event.target.dataset.form;
      if (!name) return;
      event.preventDefault();
      const button = event.target.querySelector("[type=submit]");
      busy(button, () => (name === "run" ? ask("run", read()) : send(event.target)));
    });
    page.addEventListener("change", (event) => {
      if (!event.target.closest('form[data-form="run"]')) return;
      fit();
      count();
    });

    function sure(title, more, yes, run) {
      find("#exports-ask-title").textContent = title;
      find("#exports-ask-more").textContent = more;
      find("#exports-yes").textContent = yes;
      confirmed = run;
      V.panel("exports-ask");
      find("#exports-yes").focus();
    }
    const actions = {
      "card-export": async (key) => {
        if (await ask("show_card", { export: key })) V.panel("exports-card");
      },
      "stop-export": (key) => ask("stop", { export: key }),
      "remove-export": (key, title) => sure(`Remove it? ${title}`,
        "Its files are deleted. What was decided or taken in stays.", "Remove",
        () => ask("remove", { export: key })),
    };
    page.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const { do: name, export: key } = button.dataset;
      if (actions[name]) actions[name](key, button.querySelector(".hidden")?.textContent || "");
      if (button.id === "exports-yes") {
        V.closePanel();
        confirmed?.();
      }
    });

    ask("overview").then((there) => {
      if (!there) return;
      fit();
      count();
    });
  };
})();
