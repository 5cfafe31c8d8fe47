/* The message to the uploader. The server writes it from action, policies, reasons and title;
   what a reviewer changed by hand is left alone from then on. */
(() => {
  class Notice {
    constructor(form, write) {
      this.form = form;
      this.write = write;
      this.pending = null;
      this.asked = 0;
    }

    get field() { return this.form.page.querySelector("textarea[name=notice]"); }
    get wanted() { return Boolean(this.form.action.selectedOptions[0]?.dataset.violation); }
    get value() { return this.wanted && this.field ? this.field.value : ""; }

    /* After a new form was put on the page: a draft's text is the reviewer's if it differs from
       what the server would write. */
    attach() {
      this.written = null;
      this.own = false;
      this.asked += 1;
      this.pending = null;
      if (!this.field) return;
      const draft = this.field.dataset.draft === "true" && this.wanted ? this.field.value : null;
      this.draw();
      if (this.wanted) this.pending = this.ask(draft);
    }
    /* Ask for the text that goes with what is chosen now. */
    fill() {
      if (!this.field) return;
      this.draw();
      this.pending = this.wanted && !this.own ? this.ask(null) : null;
    }
    async ask(draft) {
      const number = ++this.asked;
      const { case: id, labels, reasons, action } = this.form.values();
      let answer = null;
      try {
        answer = await this.write({ case: id, labels, reasons, action });
      } catch (error) {
        console.warn("notice", error);
      }
      if (number !== this.asked || !this.field || typeof answer?.notice !== "string") return;
      this.written = answer.notice;
      this.own = draft !== null && draft !== answer.notice;
      if (!this.own && this.field.value !== answer.notice) {
        this.field.value = answer.notice;
        // Somebody is in the field already: what they type next takes the place of all of it.
        if (document.activeElement === this.field) this.field.select();
      }
      this.draw();
    }
    typed() {
      this.own = true;
      this.asked += 1;  // an answer that is still on its way would overwrite what is typed
      this.draw();
    }
    /* Emptied and left: no notice is sent. */
    draw() {
      const { field, wanted } = this;
      field.disabled = !wanted;
      field.placeholder = wanted ? "No notice is sent" : "No notice: nothing is wrong";
      if (!wanted) field.value = "";
      if (!wanted) this.own = false;
      field.closest(".field").classList.toggle("idle", !wanted);
      field.scrollTop = 0;
    }
    focus() {
      if (this.field?.disabled) return;
      this.field?.focus();
      this.field?.setSelectionRange(this.field.value.length, this.field.value.length);
    }
  }
  window.CoefVQ.Notice = Notice;
})();
