/* What the server keeps for this reviewer. The browser's own copy is used until the server has
   answered, and where it does not. */
(() => {
  const V = window.CoefVQ;
  const COPY = "coefvq-preferences";
  const DELAY_MS = 400;

  class Prefs {
    constructor(save) {
      this.save = save;
      this.changes = {};
      this.timer = 0;
      this.values = { speed: 1, muted: true, grey: false, blur: "always", theme: "system" };
      try { Object.assign(this.values, JSON.parse(V.store.get(COPY))); } catch { /* none yet */ }
    }

    /* The server's answer counts; what was changed meanwhile stays. */
    load(values) {
      if (!values) return;
      Object.assign(this.values, values, this.changes);
      const local = V.store.get("coefvq-theme");
      if (V.store.get("coefvq-theme-chosen") === "here" && local) {  // on another page
        V.store.set("coefvq-theme-chosen", "");
        this.set({ theme: local });
      }
      if (this.values.theme !== "system" || !local) V.setTheme(this.values.theme);
      this.copy();
    }
    copy() { V.store.set(COPY, JSON.stringify(this.values)); }

    set(change) {
      const fresh = Object.entries(change).filter(([name, value]) => this.values[name] !== value);
      if (!fresh.length) return;
      Object.assign(this.values, Object.fromEntries(fresh));
      Object.assign(this.changes, Object.fromEntries(fresh));
      this.copy();
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.send(), DELAY_MS);
    }
    async send() {
      const changes = this.changes;
      this.changes = {};
      try {
        await this.save({ changes });
      } catch (error) {
        console.warn("preferences", error);  // the browser's copy has them
      }
    }
  }

  /* Seconds that a revealed picture was looked at, sent every quarter of a minute. */
  class Watch {
    constructor(seen, send) {
      this.seen = seen;
      this.send = send;
      this.case = null;
      this.seconds = 0;
      setInterval(() => this.second(), 1000);
      document.addEventListener("visibilitychange", () => document.hidden && this.flush());
    }
    second() {
      if (this.case && !document.hidden && this.seen()) this.seconds += 1;
      if (this.seconds >= 15) this.flush();
    }
    moved(id) {
      if (id === this.case) return;
      this.flush();
      this.case = id;
    }
    flush() {
      const { case: id, seconds } = this;
      this.seconds = 0;
      if (id && seconds > 0) this.send({ case: id, seconds: Math.min(seconds, 60) });
    }
  }

  Object.assign(V, { Prefs, Watch });
})();
