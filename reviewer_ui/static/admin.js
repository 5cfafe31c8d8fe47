/* Admin: people, sign-ins and exposure. Fragments come from the server, escaped there. */
(() => {
  const V = window.CoefVQ;
  const POLL_MS = 15000;
  const BUTTONS = { "edit-user": "edit_user", "disable-user": "disable_user",
    "enable-user": "enable_user" };

  V.boots.admin = (page, server) => {
    const dialog = page.querySelector("#user-dialog");

    /* The page is not for this person: say so where its content would be. */
    function refused(words) {
      const line = document.createElement("p");
      line.className = "card tip";
      line.textContent = words;
      page.querySelector("#admin-note").replaceChildren(line);
    }
    function show(answer) {
      if (!answer) return;
      if (answer.error) {
        if (page.classList.contains("ready")) V.notify(answer.error, { bad: true, seconds: 10 });
        else refused(answer.error);
        return;
      }
      V.apply(answer.regions);
      if (answer.note) V.notify(answer.note.text, answer.note);
      if (answer.clear) page.querySelector(`#${answer.clear} form`)?.reset();
      if (answer.close && dialog.open) dialog.close();
      if (answer.open && !dialog.open) dialog.showModal();
      if (answer.leave) location.assign(answer.leave);
      page.classList.add("ready");
    }

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

    page.addEventListener("submit", async (event) => {
      const name = event.target.dataset.form;
      if (!name) return;
      event.preventDefault();
      const button = event.target.querySelector("[type=submit]");
      button.disabled = true;
      show(await V.call(server, name, read(event.target)));
      button.disabled = false;
    });
    page.addEventListener("click", async (event) => {
      const button = event.target.closest("[data-do]");
      if (!button) return;
      if (button.dataset.do === "close-user") dialog.close();
      const call = BUTTONS[button.dataset.do];
      if (call) show(await V.call(server, call, { name: button.dataset.name }));
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

    const load = async () => show(await V.call(server, "overview", {}));
    setInterval(() => { if (!document.hidden && !dialog.open) load(); }, POLL_MS);
    load();
  };
})();
