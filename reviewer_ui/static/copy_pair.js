/* A copy beside its original, locked in time. Used by Review and by a video's own page. */
(() => {
  const V = window.CoefVQ;
  const FAR_S = 0.25;  // apart by more than this: jump; by less: play a little faster or slower
  const MOST_NUDGE = 0.08;
  const SOUNDS = ["muted", "sound: this", "sound: original"];

  class CopyPair {
    /* `values` are the reviewer's preferences, `fetch(match)` and `send(args)` ask the server,
       `opened()` is called before the pair is shown, `answered(answer)` after an answer. */
    constructor(page, { values, fetch, send, opened = () => {}, answered = () => false }) {
      Object.assign(this, { page, values, fetch, send, opened, answered });
      this.section = page.querySelector("#copy-pair");
      this.panel = page.querySelector("#copy-panel");
      this.keys = JSON.parse(this.panel.dataset.keys);
      this.sound = 0;
      this.section.addEventListener("click", (event) => this.click(event));
      this.section.addEventListener("input", (event) => {
        if (event.target.matches(".pair-seek")) this.seek(Number(event.target.value));
      });
      this.section.addEventListener("change", (event) => {
        if (event.target.matches(".pair-speed")) this.setSpeed(Number(event.target.value));
      });
      document.addEventListener("keydown", (event) => this.isOpen && this.key(event), true);
      this.panel.addEventListener("close", () => this.pause());
      this.section.addEventListener("contextmenu", (event) => {
        if (event.target.closest(".pair-screen")?.querySelector("[data-restricted]")) event.preventDefault();
      });
    }

    get pair() { return this.panel.querySelector(".pair"); }
    get here() { return this.panel.querySelector('[data-side="query"] video'); }
    get there() { return this.panel.querySelector('[data-side="reference"] video'); }
    get screens() { return [...this.panel.querySelectorAll(".pair-screen")]; }
    keyOf(action) { return Object.keys(this.keys).find((key) => this.keys[key] === action); }
    get isOpen() { return this.panel.open; }
    /* Whether somebody looks at a picture that is not blurred. */
    get revealed() {
      return this.isOpen && this.screens.some((screen) => screen.dataset.blur === "off");
    }

    /* Open it, on one match where one is named; again: close it. */
    async toggle(match) {
      if (this.isOpen && !match) { V.closePanel(); return; }
      const line = this.section.querySelector(".copy-line");
      const wanted = match || line?.dataset.match;
      if (!wanted) return;
      if (this.pair?.dataset.match !== wanted && !this.show(await this.fetch(wanted))) return;
      if (!this.isOpen) {
        this.opened();
        this.say("");
        V.panel("copy-panel");
        this.rest();
      }
      this.attach();
    }
    /* Put an answer of the server on the page; false where it refused. */
    show(answer) {
      if (!answer) return false;
      if (answer.error) {
        if (this.isOpen) this.say(answer.error, true);
        else V.notify(answer.error, { bad: true });
        return false;
      }
      V.apply(answer.regions);
      return Boolean(this.pair);
    }

    /* The page has put another case's pair here, or none. */
    changed() {
      if (!this.isOpen) return;
      if (this.pair) this.attach();
      else V.closePanel();
    }
    /* After another pair was put on the page: as this reviewer likes it, at the first match. */
    attach() {
      if (this.attached === this.pair) { this.draw(); return; }
      this.attached = this.pair;
      this.spans = JSON.parse(this.pair.dataset.spans);
      this.span = this.spans[0];
      const { blur, grey, muted, speed } = this.values();
      for (const screen of this.screens) {
        const severe = screen.dataset.severe === "true";
        screen.dataset.blur = blur === "always" || (blur === "severe" && severe) ? "on" : "off";
        screen.dataset.grey = grey ? "on" : "off";
      }
      this.sound = muted ? 0 : 1;
      for (const video of [this.here, this.there]) if (video) video.preload = "auto";
      for (const name of ["timeupdate", "seeked", "pause", "loadedmetadata"]) {
        this.here?.addEventListener(name, () => this.draw());
      }
      this.here?.addEventListener("play", () => this.run());
      this.here?.addEventListener("ended", () => this.pause());
      for (const name of ["seeked", "loadedmetadata"]) {
        this.there?.addEventListener(name, () => this.draw());
      }
      this.setSpeed(speed || 1);
      this.seek(this.span[0]);
      this.draw();
    }

    /* The span that a moment lies in, or the nearest one. */
    spanAt(time, from = 0) {
      const away = (span) => Math.max(span[from] - time, time - span[from + 1], 0);
      return this.spans.reduce((best, span) => (away(span) < away(best) ? span : best));
    }
    /* When the original shows what this video shows now. */
    match(time) {
      this.span = this.spanAt(time);
      return this.span[2] + this.span[4] * (time - this.span[0]);
    }
    lengthOf(video) {
      return Number.isFinite(video?.duration) ? video.duration : Number(video?.dataset.length) || 0;
    }
    /* Whether the original has anything to show at its time `time`. */
    reaches(time) { return time >= -0.02 && time <= this.lengthOf(this.there) + 0.02; }

    seek(time) {
      if (!this.here) return;
      const at = Math.min(Math.max(0, time), this.lengthOf(this.here));
      this.here.currentTime = at;
      if (this.there) this.there.currentTime = this.within(this.match(at));
      this.draw(at);
    }
    within(time) { return Math.min(Math.max(0, time), this.lengthOf(this.there)); }
    /* A click on the original's bar: this video follows. */
    seekThere(time) {
      const span = this.spanAt(time, 2);
      this.seek(span[0] + (time - span[2]) / (span[4] || 1));
    }
    step(seconds) { if (this.here) this.seek(this.here.currentTime + seconds); }
    frame(direction) {
      this.pause();
      this.step(direction / (Number(this.here?.dataset.fps) || 25));
    }
    go(number) {
      const span = this.spans[number];
      if (span) this.seek(span[0]);
    }
    nextSpan(direction) {
      if (!this.here) return;
      const now = this.here.currentTime;
      const starts = this.spans.map((span) => span[0]);
      const next = direction > 0 ? starts.find((start) => start > now + 0.05)
        : starts.reverse().find((start) => start < now - 0.05);
      if (next !== undefined) this.seek(next);
    }

    play() {
      if (!this.here) return;
      if (this.here.paused) this.here.play().catch(() => {});
      else this.pause();
    }
    pause() {
      this.here?.pause();
      this.there?.pause();
    }
    /* While it plays: draw every frame, and keep the original where it belongs. */
    run() {
      const step = () => {
        if (!this.here || this.here.paused || !this.isOpen) { this.there?.pause(); this.draw(); return; }
        this.lock();
        this.draw();
        requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    }
    lock() {
      const { here, there } = this;
      if (!there) return;
      const wanted = this.match(here.currentTime);
      const stalled = here.readyState < 3 || here.seeking;
      if (stalled || !this.reaches(wanted)) { there.pause(); return; }
      const ahead = there.currentTime - wanted;
      if (Math.abs(ahead) > FAR_S && !there.seeking) there.currentTime = this.within(wanted);
      const nudge = Math.max(-MOST_NUDGE, Math.min(MOST_NUDGE, -ahead));
      const rate = here.playbackRate * this.span[4] * (1 + nudge);
      there.playbackRate = Math.max(0.0625, Math.min(16, rate));
      if (there.paused && !there.ended) there.play().catch(() => {});
    }

    setSpeed(speed) {
      const select = this.panel.querySelector(".pair-speed");
      if (select) select.value = String(speed);
      if (this.here) this.here.playbackRate = speed;
      if (this.there) this.there.playbackRate = Math.max(0.0625, speed * this.span[4]);
    }
    faster(direction) {
      const select = this.panel.querySelector(".pair-speed");
      const option = select?.options[select.selectedIndex + direction];
      if (option) this.setSpeed(Number(option.value));
    }
    reveal(on = this.screens.some((screen) => screen.dataset.blur === "on")) {
      for (const screen of this.screens) screen.dataset.blur = on ? "off" : "on";
      this.draw();
    }
    grey() {
      const on = this.screens.every((screen) => screen.dataset.grey !== "on");
      for (const screen of this.screens) screen.dataset.grey = on ? "on" : "off";
      this.draw();
    }
    /* One of them is heard at a time. */
    nextSound() {
      this.sound = (this.sound + 1) % (this.there ? 3 : 2);
      this.draw();
    }
    mirror() {
      const there = this.there?.closest(".pair-screen");
      if (there) there.dataset.mirror = there.dataset.mirror === "on" ? "off" : "on";
      this.draw();
    }

    draw(at = this.here?.currentTime || 0) {
      if (!this.pair || !this.spans) return;
      const wanted = this.match(at);
      const press = (name, on) => this.panel.querySelector(`[data-do="${name}"]`)
        ?.setAttribute("aria-pressed", String(on));
      const write = (where, text) => {
        const place = this.panel.querySelector(where);
        if (place && place.textContent !== text) place.textContent = text;
      };
      const seek = this.panel.querySelector(".pair-seek");
      if (seek) {
        seek.max = this.lengthOf(this.here);
        seek.value = at;
        seek.setAttribute("aria-valuetext", V.clock(at));
      }
      write(".pair-now", V.clock(at));
      write(".pair-then", this.reaches(wanted) ? V.clock(wanted) : "not");
      const play = this.panel.querySelector(".pair-play");
      play?.classList.toggle("on", Boolean(this.here && !this.here.paused));
      play?.setAttribute("aria-label", this.here && !this.here.paused ? "Pause both" : "Play both");
      const shown = this.screens.length > 0 && this.screens.every((s) => s.dataset.blur === "off");
      write('[data-do="pair-reveal"]', shown ? "shown" : "blurred");
      press("pair-reveal", shown);
      press("pair-grey", this.screens.some((screen) => screen.dataset.grey === "on"));
      press("pair-mirror", this.screens.some((screen) => screen.dataset.mirror === "on"));
      write('[data-do="pair-sound"]', SOUNDS[this.sound]);
      if (this.here) this.here.muted = this.sound !== 1;
      if (this.there) this.there.muted = this.sound !== 2;
      this.cursor("query", at);
      this.cursor("reference", wanted);
    }
    cursor(side, time) {
      const rail = this.panel.querySelector(`[data-rail="${side}"]`);
      const share = time / (Number(rail?.dataset.length) || 1);
      rail?.style.setProperty("--at", Math.min(1, Math.max(0, share)).toFixed(4));
    }

    click(event) {
      const target = event.target.closest("[data-do]");
      const name = target?.dataset.do || "";
      if (name.startsWith("pair")) event.stopPropagation();  // nothing of it is the page's
      if (name === "pair") this.toggle(target.dataset.match);
      else if (name === "pair-span") this.go(Number(target.dataset.span));
      else if (name === "pair-reveal-one") {
        target.closest(".pair-screen").dataset.blur = "off";
        this.draw();
      } else if (name.startsWith("pair-")) this.act(name.slice(5));
      else if (event.target.matches("video")) this.play();
      else if (event.target.matches("[data-rail]")) this.rail(event);
      // A button that was clicked would take the space bar from the players.
      if (this.isOpen && event.detail > 0 && target) this.rest();
    }
    rest() { this.panel.querySelector("#copy-panel-title").focus({ preventScroll: true }); }
    rail(event) {
      const box = event.target.getBoundingClientRect();
      const { rail, length } = event.target.dataset;
      const time = ((event.clientX - box.left) / box.width) * Number(length);
      if (rail === "query") this.seek(time);
      else this.seekThere(time);
    }
    act(name) {
      const actions = {
        pair: () => this.toggle(), play: () => this.play(),
        back: () => this.step(-5), forward: () => this.step(5),
        "frame-back": () => this.frame(-1), "frame-forward": () => this.frame(1),
        slower: () => this.faster(-1), faster: () => this.faster(1),
        "next-evidence": () => this.nextSpan(1), "previous-evidence": () => this.nextSpan(-1),
        reveal: () => this.reveal(), blur: () => this.reveal(false), grey: () => this.grey(),
        mute: () => this.nextSound(), sound: () => this.nextSound(), mirror: () => this.mirror(),
        confirm: () => this.answer("confirmed"), reject: () => this.answer("rejected"),
      };
      actions[name]?.();
    }
    /* Review's keys, for both players. What was reached with Tab keeps its own. */
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      const element = document.activeElement || document.body;
      const name = this.keys[event.key];
      const arrows = /^(Arrow|Home|End|Page)/.test(event.key);
      const own = element.matches("button, a, select, input[type=checkbox]")
        && element.matches(":focus-visible") && (event.key === "Enter" || event.key === " ");
      if (!name || own || (arrows && element.matches("select, input"))) return;
      event.stopPropagation();  // the page behind has the same keys
      if (event.repeat && !/frame|back|forward/.test(name)) return;
      if (/^(policy:|submit$|skip$|undo$|second-look$)/.test(name)) return;
      event.preventDefault();
      this.act(name);
    }

    async answer(said) {
      if (!this.pair || this.busy) return;
      this.busy = true;
      const nothing = Boolean(this.panel.querySelector('[name="nothing"]')?.checked);
      const { match } = this.pair.dataset;
      try {
        const answer = await this.send({ match, said, nothing: said === "rejected" && nothing });
        if (!answer || answer.error) { this.show(answer); return; }
        V.apply(answer.regions);
        const words = this.answered(answer) || answer.said;
        if (answer.following) await this.toggle(answer.following);
        if (answer.following || !answer.close) this.say(words);
        else { V.closePanel(); V.notify(words, { seconds: 8 }); }
      } finally {
        this.busy = false;
      }
    }
    say(text, bad = false) {
      const place = this.panel.querySelector(".panel-say");
      place.textContent = text;
      place.classList.toggle("bad", bad);
    }
  }

  /* What a confirmed copy proposes for the form; fields that somebody filled in stay. Returns
     what was filled in, in words. */
  function propose(form, wanted) {
    const toggle = form.form?.dataset.token  // without a lease the form takes nothing
      && form.toggles.find((each) => each.dataset.policy === wanted?.policy);
    if (!toggle) return "";
    const done = [];
    if (toggle.getAttribute("aria-pressed") !== "true") {
      form.toggle(toggle);
      if (JSON.parse(toggle.dataset.reasons).includes(wanted.reason)) toggle.dataset.reason = wanted.reason;
      done.push(toggle.dataset.name, wanted.reason);
    }
    const range = form.rangeButtons();
    if (!range.some((button) => button.dataset.value)) {
      range[0].dataset.value = wanted.start_s.toFixed(2);
      range[1].dataset.value = wanted.end_s.toFixed(2);
      done.push(`${V.clock(wanted.start_s)}–${V.clock(wanted.end_s)}`);
    }
    if (done.length) form.chosen();
    return done.filter(Boolean).join(", ");
  }

  Object.assign(V, { CopyPair, propose });
})();
