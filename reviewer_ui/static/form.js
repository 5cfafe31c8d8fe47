/* The decision form: toggles, one reason for each violated policy, range, draft. */
(() => {
  const { clock } = window.CoefVQ;
  const DRAFT_DELAY_MS = 700;
  const words = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  class Form {
    constructor(page, { save, player, write }) {
      this.page = page;
      this.save = save;
      this.player = player;
      this.notice = new window.CoefVQ.Notice(this, write);
      this.timer = 0;
      this.active = null;
      const region = page.querySelector("#decision-form");
      region.addEventListener("click", (event) => {
        const toggle = event.target.closest(".toggle");
        if (toggle) this.toggle(toggle);
      });
      region.addEventListener("change", (event) => {
        if (event.target.name === "reason") this.setReason(event.target.value);
        if (event.target.name === "action") this.chosen();
      });
      region.addEventListener("input", (event) => {
        if (event.target.name === "comment") this.touch();
        if (event.target.name === "notice") { this.notice.typed(); this.touch(); }
      });
    }

    get form() { return this.page.querySelector("#decision-form .form"); }
    get toggles() { return [...this.page.querySelectorAll(".toggle")]; }
    get pressed() { return this.toggles.filter((t) => t.getAttribute("aria-pressed") === "true"); }
    get select() { return this.page.querySelector("select[name=reason]"); }
    get action() { return this.page.querySelector("select[name=action]"); }

    /* After a new form was put on the page. */
    attach() {
      clearTimeout(this.timer);
      this.closed = false;
      this.active = this.pressed[0] || null;
      if (!this.form) return;
      this.draw();
      this.notice.attach();
    }
    /* Policies, reasons or the action changed: the notice to the uploader follows. */
    chosen() {
      this.touch();
      this.notice.fill();
    }

    toggle(button) {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      if (!on) button.dataset.reason = "";
      this.active = on ? button : this.pressed[this.pressed.length - 1] || null;
      this.proposeAction();
      this.chosen();
    }
    /* "Keep" goes with no violation, every other action with at least one. */
    proposeAction() {
      const { good, bad } = this.action.dataset;
      const violated = this.pressed.length > 0;
      const fits = Boolean(this.action.selectedOptions[0]?.dataset.violation) === violated;
      if (!fits) this.action.value = violated ? bad : good;
    }
    /* The a key: through the actions that fit what is marked. */
    nextAction() {
      const violated = this.pressed.length > 0;
      const fits = [...this.action.options]
        .filter((option) => Boolean(option.dataset.violation) === violated)
        .map((option) => option.value);
      const at = fits.indexOf(this.action.value);
      this.action.value = fits[(at + 1) % fits.length];
      this.chosen();
    }
    toggleNumber(number) {
      const button = this.toggles.find((t) => t.dataset.key === number);
      if (button) this.toggle(button);
    }

    setReason(reason) {
      if (!this.active) return;
      this.active.dataset.reason = reason;
      this.chosen();
      if (reason === "other") this.comment();
    }
    /* The r key: first to a policy that lacks a reason, then through the reasons. */
    nextReason() {
      if (!this.active) return;
      const lacking = this.pressed.find((t) => !t.dataset.reason);
      if (lacking) this.active = lacking;
      const reasons = JSON.parse(this.active.dataset.reasons);
      const at = reasons.indexOf(this.active.dataset.reason);
      this.active.dataset.reason = reasons[(at + 1) % reasons.length];
      this.chosen();
      this.select.focus({ preventScroll: true });
    }
    comment() { this.page.querySelector("input[name=comment]")?.focus(); }

    /* In place of the buttons: why the case is skipped. */
    get skipChoice() { return this.page.querySelector(".skip-choice"); }
    get skipping() { return Boolean(this.skipChoice) && !this.skipChoice.hidden; }
    askSkip(open) {
      if (!this.form) return;
      this.skipChoice.hidden = !open;
      if (open) this.skipChoice.querySelector("[data-key=Enter]").focus({ preventScroll: true });
      else document.activeElement?.blur();
    }

    setRange(side) {
      const button = this.page.querySelector(`[data-do="range-${side}"]`);
      if (!button) return;
      button.dataset.value = this.player.time.toFixed(2);
      const [start, end] = this.rangeButtons();
      if (start.dataset.value && end.dataset.value
        && Number(start.dataset.value) > Number(end.dataset.value)) {
        (side === "start" ? end : start).dataset.value = button.dataset.value;
      }
      this.touch();
    }
    clearRange() {
      for (const button of this.rangeButtons()) button.dataset.value = "";
      this.touch();
    }
    rangeButtons() {
      return ["start", "end"].map((side) => this.page.querySelector(`[data-do="range-${side}"]`));
    }

    draw() {
      this.drawReasons();
      const pressed = this.pressed;
      for (const button of this.rangeButtons()) {
        const { value } = button.dataset;
        button.querySelector(".value").textContent = value ? clock(Number(value)) : "–";
      }
      this.page.querySelector("#decision-range").classList.toggle("set",
        this.rangeButtons().some((button) => button.dataset.value));
      const names = pressed.map((t) => t.dataset.name).join(" + ");
      this.page.querySelector("#submit-decision").title =
        `Sends: ${names ? `violation (${names})` : "no violation"}`;
    }
    drawReasons() {
      const select = this.select;
      select.replaceChildren();
      const add = (value, text) => select.append(new Option(text, value));
      select.disabled = !this.active;
      if (!this.active) { add("", "No reason needed"); return; }
      const many = this.pressed.length > 1;
      add("", many ? `Reason for ${this.active.dataset.name}…` : "Reason…");
      for (const reason of JSON.parse(this.active.dataset.reasons)) {
        add(reason, many ? `${this.active.dataset.name}: ${reason}` : words(reason));
      }
      select.value = this.active.dataset.reason || "";
    }

    say(text) {
      const place = this.page.querySelector(".say");
      if (place) place.textContent = text;
    }
    error(text, policy) {
      const place = this.page.querySelector(".form-error");
      if (place) place.textContent = text || "";
      const lacking = policy
        ? this.toggles.find((t) => t.dataset.policy === policy)
        : this.pressed.find((t) => !t.dataset.reason);
      if (text && lacking) { this.active = lacking; this.drawReasons(); }
    }

    /* What goes to the server. */
    values() {
      const number = (button) => (button.dataset.value ? Number(button.dataset.value) : null);
      const [start, end] = this.rangeButtons().map(number);
      const { case: id, token, verdict, taxonomy } = this.form.dataset;
      const labels = {};
      const reasons = {};
      for (const toggle of this.toggles) {
        const on = toggle.getAttribute("aria-pressed") === "true";
        labels[toggle.dataset.policy] = on;
        if (on && toggle.dataset.reason) reasons[toggle.dataset.policy] = toggle.dataset.reason;
      }
      return {
        case: id, token: token ? Number(token) : null, verdict_id: verdict || null, taxonomy,
        labels, reasons, action: this.action?.value || "",
        comment: this.page.querySelector("input[name=comment]").value,
        start_s: start, end_s: end, notice: this.notice.value,
      };
    }

    /* Something changed: draw it, and save the draft when the hands rest. */
    touch() {
      this.draw();
      this.error("");
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.flush(), DRAFT_DELAY_MS);
    }
    async flush() {
      clearTimeout(this.timer);
      const { form } = this;
      if (!form?.dataset.token) return;
      await this.notice.pending;
      if (form !== this.form || this.closed) return;
      const answer = await this.save(this.values());
      if (answer && !answer.error) this.say("draft saved");
    }
    /* The draft is settled (submitted, skipped): nothing must write it again. */
    settle() {
      clearTimeout(this.timer);
      this.closed = true;
    }
    /* It was not taken: drafts are kept again. */
    reopen() { this.closed = false; }
  }
  window.CoefVQ.Form = Form;
})();
