/* The panels of Review: settings, the list of queues, the case's notes and tools. */
(() => {
  const V = window.CoefVQ;

  /* Fields of the settings panel are named like the preferences. */
  class Settings {
    constructor(page, prefs, changed) {
      this.panel = page.querySelector("#settings-panel");
      this.prefs = prefs;
      this.panel.addEventListener("change", ({ target }) => {
        const { name } = target;
        const value = target.type === "checkbox" ? target.checked
          : name === "speed" ? Number(target.value) : target.value;
        prefs.set({ [name]: value });
        if (name === "theme") V.setTheme(value);
        changed();
      });
    }
    open() {
      for (const field of this.panel.querySelectorAll("[name]")) {
        const value = this.prefs.values[field.name];
        if (field.type === "checkbox") field.checked = Boolean(value);
        else field.value = String(value);
      }
      V.panel("settings-panel");
    }
  }

  /* Digits and arrows choose a queue while its list is open. */
  class Queues {
    constructor(page) {
      this.panel = page.querySelector("#queue-list");
      this.panel.addEventListener("keydown", (event) => {
        const rows = [...this.panel.querySelectorAll("[data-queue]:not(:disabled)")];
        const at = rows.indexOf(document.activeElement);
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step) rows[(at + step + rows.length) % rows.length]?.focus();
        else if (/^[0-9]$/.test(event.key)) rows.find((r) => r.dataset.key === event.key)?.click();
        else return;
        event.preventDefault();
        event.stopPropagation();  // the list may be closed by now, and a digit is a policy's key
      });
    }
    open() {
      V.panel("queue-list");
      this.panel.querySelector("[aria-pressed=true]")?.focus();
    }
  }

  /* Notes, link and assignment. A note that was typed and not added stays where it is. */
  class CasePanel {
    constructor(page, { note, assign }) {
      this.page = page;
      this.panel = page.querySelector("#case-panel");
      this.note = note;
      this.assign = assign;
      this.field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        this.add();
      });
    }
    get field() { return this.panel.querySelector("[name=note]"); }
    open() {
      this.say("");
      V.panel("case-panel");
      this.field.focus();
    }
    moved() { this.field.value = ""; }
    say(text, bad = false) {
      const place = this.panel.querySelector(".panel-say");
      place.textContent = text;
      place.classList.toggle("bad", bad);
    }
    async add() {
      const text = this.field.value.trim();
      if (text && this.shown(await this.note({ text }))) this.field.value = "";
    }
    async give(to) {
      const name = this.panel.querySelector("[name=assignee]")?.value.trim() || "";
      this.shown(await this.assign({ to, name }));
    }
    /* Show an answer of the server; false where it refused. */
    shown(answer) {
      if (!answer) return false;
      V.apply(answer.regions);
      this.summary(answer.summary);
      this.say(answer.error || answer.said || "", Boolean(answer.error));
      return !answer.error;
    }
    /* The button in the form that says how many notes there are. */
    summary(markup) {
      const button = this.page.querySelector(".case-button");
      if (!markup || !button || button.dataset.markup === markup) return;
      const fresh = document.createElement("div");
      fresh.innerHTML = markup;
      const next = fresh.firstElementChild;
      next.dataset.markup = markup;
      button.replaceWith(next);
    }
    async copyLink() {
      const link = location.origin + (this.page.querySelector("#case-facts .link")
        ?.getAttribute("href") || "/");
      const text = await this.copy(link) ? "Link copied." : `Copy it yourself: ${link}`;
      if (this.panel.open) this.say(text);
      else V.notify(text, { seconds: 3 });
    }
    async copy(text) {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch {  // no clipboard without a secure context
        return false;
      }
    }
  }
  Object.assign(V, { Settings, Queues, CasePanel });
})();
