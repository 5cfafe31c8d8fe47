/* Admin: the frame around its sections. Fragments come from the server, escaped there.
   A section's script puts a function into CoefVQ.sections; see docs/admin.md. */
(() => {
  const V = window.CoefVQ;
  const SURE_MS = 5000;
  V.sections = {};

  /* What a form says: check boxes of one list as an array, numbers as numbers or null. */
  function read(form) {
    const args = {};
    for (const field of form.elements) {
      const { name, type, value, checked } = field;
      if (!name) continue;
      if (type === "checkbox" && "list" in field.dataset) {
        args[name] = [...(args[name] || []), ...(checked ? [value] : [])];
      } else if (type === "checkbox") args[name] = checked;
      else if (type === "radio") { if (checked) args[name] = value; }
      else if (type === "number") args[name] = value === "" ? null : Number(value);
      else if (type !== "submit" && type !== "button") args[name] = value;
    }
    return args;
  }

  V.boots.admin = (page, server) => {
    const dialogs = [...page.querySelectorAll("dialog")];
    const forms = {};

    /* The page is not for this person: say so where its content would be. */
    function refused(words) {
      const line = document.createElement("p");
      line.className = "card tip";
      line.textContent = words;
      page.querySelector("#admin-note").replaceChildren(line);
    }
    function show(answer) {
      if (answer.error) {
        V.notify(answer.error, { bad: true, seconds: 10 });
        return;
      }
      V.apply(answer.regions);
      if (answer.note) V.notify(answer.note.text, answer.note);
      if (answer.clear) for (const form of page.querySelectorAll(`#${answer.clear} form`)) form.reset();
      if (answer.close) V.closePanel();
      if (answer.open) V.panel(answer.open);
      if (answer.leave) location.assign(answer.leave);
      if (answer.focus) page.querySelector(answer.focus)?.focus();
    }
    /* One call; null where it was refused or the server did not answer. */
    async function ask(name, args) {
      const answer = await V.call(server, name, args);
      if (!answer) return null;
      show(answer);
      return answer.error ? null : answer;
    }

    page.addEventListener("submit", async (event) => {
      const form = event.target;
      const name = form.dataset.form;
      if (!name) return;
      event.preventDefault();
      const button = event.submitter || form.querySelector("[type=submit]");
      button.disabled = true;
      const more = button.name ? { [button.name]: button.value } : {};
      await ask(name, { ...(forms[name] || read)(form), ...more });
      button.disabled = false;
    });
    /* A button that cannot be taken back asks once more, in its own place. */
    function sure(button) {
      if (!button.dataset.sure || button.dataset.armed) return true;
      const { textContent, ariaLabel } = button;
      const say = (words, label) => {
        button.textContent = words;
        if (ariaLabel) button.ariaLabel = label;
      };
      button.dataset.armed = "yes";
      say(button.dataset.sure, `${button.dataset.sure} ${ariaLabel}`);
      setTimeout(() => {
        delete button.dataset.armed;
        say(textContent, ariaLabel);
      }, SURE_MS);
      return false;
    }
    page.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-call]");
      if (button && sure(button)) {
        ask(button.dataset.call, JSON.parse(button.dataset.args || "{}"));
      }
    });

    /* Whether a refresh would take something out of somebody's hands. */
    const busy = (group) => document.hidden || dialogs.some((dialog) => dialog.open)
      || group.contains(document.activeElement?.closest("input, select, textarea, [data-keep]"))
      || Boolean(group.querySelector("[data-armed]"));

    async function start(group) {
      const { load, every, forms: own } = V.sections[group.dataset.section]({
        page, group, server, ask, show, read,
      });
      Object.assign(forms, own);
      if (every) setInterval(() => { if (!busy(group)) load(); }, every);
      group.setAttribute("aria-busy", "true");
      try { await load(); } finally { group.removeAttribute("aria-busy"); }
    }
    /* The nav says where one is. */
    function mark() {
      const groups = [...page.querySelectorAll(".group")].filter((group) => group.offsetHeight);
      const top = groups.filter((group) => group.getBoundingClientRect().top < 120).pop();
      for (const link of page.querySelectorAll("#admin-nav a")) {
        const here = link.hash === `#${(top || groups[0])?.id}`;
        if (here === link.hasAttribute("aria-current")) continue;
        link.toggleAttribute("aria-current", here);
        if (!here) continue;
        link.setAttribute("aria-current", "location");
        const nav = link.parentElement;  // on a phone the line scrolls along
        nav.scrollLeft = link.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
      }
    }
    const anchored = () => location.hash.length > 1
      && document.getElementById(location.hash.slice(1))?.scrollIntoView();

    (async () => {
      const answer = await V.call(server, "frame", {});
      if (!answer || answer.error) {
        refused(answer?.error || "The server did not answer. Reload the page.");
        return;
      }
      show(answer);
      document.addEventListener("scroll", () => requestAnimationFrame(mark), { passive: true });
      anchored();
      await Promise.allSettled([...page.querySelectorAll("[data-section]")].map(start));
      if (window.scrollY > 0) anchored();
      mark();
      page.classList.add("ready");
    })();
  };
})();
