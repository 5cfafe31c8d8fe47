/* The player, the timeline's cursor and the transcript that follows the time. */
(() => {
  const { clock } = window.CoefVQ;

  class Player {
    constructor(page, prefs) {
      this.page = page;
      this.prefs = prefs;
      const player = page.querySelector("#review-player");
      player.addEventListener("input", (event) => {
        if (event.target.matches(".seek")) this.seek(Number(event.target.value));
      });
      player.addEventListener("change", (event) => {
        if (event.target.matches(".speed")) this.setSpeed(Number(event.target.value));
      });
      player.addEventListener("click", (event) => {
        if (event.target.matches("video")) this.toggle();
      });
    }

    get video() { return this.page.querySelector("#review-player video"); }
    get screen() { return this.page.querySelector("#review-player .screen"); }
    get time() { return this.video ? this.video.currentTime : 0; }
    get length() {
      const stated = Number(this.page.querySelector(".seek")?.max) || 0;
      return Number.isFinite(this.video?.duration) ? this.video.duration : stated;
    }

    /* After a new player was put on the page. */
    attach() {
      const video = this.video;
      this.marks = null;
      if (!video) return;
      this.prepare();
      const redraw = () => this.draw();
      for (const name of ["timeupdate", "seeked", "play", "pause", "volumechange",
        "loadedmetadata"]) video.addEventListener(name, redraw);
      video.addEventListener("play", () => this.follow());
      this.draw();
    }

    /* As this reviewer likes it. */
    prepare() {
      const { muted, speed, grey, blur } = this.prefs.values;
      if (!this.video) return;
      this.video.muted = muted;
      this.showSpeed(speed);
      this.screen.dataset.grey = grey ? "on" : "off";
      this.blur(blur === "always" || (blur === "severe" && this.screen.dataset.severe === "true"));
    }

    follow() {
      const step = () => {
        this.draw();
        if (this.video && !this.video.paused) requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    }

    draw() {
      const video = this.video;
      if (!video) return;
      const seek = this.page.querySelector(".seek");
      if (Number.isFinite(video.duration)) seek.max = video.duration;
      seek.value = video.currentTime;
      seek.setAttribute("aria-valuetext", clock(video.currentTime));
      this.page.querySelector(".now").textContent = clock(video.currentTime);
      const play = this.page.querySelector(".play");
      play.classList.toggle("on", !video.paused);
      play.setAttribute("aria-label", video.paused ? "Play" : "Pause");
      const sound = this.page.querySelector(".sound");
      if (sound.textContent !== "no sound") {
        sound.textContent = video.muted ? "muted" : "sound on";
        sound.setAttribute("aria-pressed", String(video.muted));
      }
      this.drawHints();
      const share = this.length ? Math.min(1, video.currentTime / this.length) : 0;
      this.page.querySelector(".lanes")?.style.setProperty("--at", share.toFixed(4));
      this.showLine(video.currentTime);
    }

    /* What is set, in words on the buttons that change it. */
    drawHints() {
      const shown = this.screen.dataset.blur === "off";
      const button = this.page.querySelector(".shown");
      button.textContent = shown ? "shown" : "blurred";
      button.setAttribute("aria-pressed", String(shown));
      this.page.querySelector(".greyed").setAttribute("aria-pressed",
        String(this.screen.dataset.grey === "on"));
    }

    /* Mark the line that is spoken or shown now, and keep it in sight. */
    showLine(time) {
      let now = null;
      for (const line of this.page.querySelectorAll(".lines li")) {
        const on = time >= Number(line.dataset.start) && time < Number(line.dataset.end);
        line.classList.toggle("now", on);
        if (on) now = line;
      }
      if (now && now !== this.line && !this.video.paused) {
        const box = this.page.querySelector("#transcript");
        box.scrollTop = now.offsetTop - box.offsetTop - box.clientHeight / 3;
      }
      this.line = now;
    }

    toggle() {
      const video = this.video;
      if (!video) return;
      if (video.paused) video.play().catch(() => {}); else video.pause();
    }
    seek(time) {
      if (this.video) this.video.currentTime = Math.min(Math.max(0, time), this.length);
    }
    step(seconds) { this.seek(this.time + seconds); }
    frame(direction) {
      this.video?.pause();
      this.step(direction / (Number(this.video?.dataset.fps) || 25));
    }
    setSpeed(speed) {
      this.showSpeed(speed);
      this.prefs.set({ speed });
    }
    showSpeed(speed) {
      const select = this.page.querySelector(".speed");
      if (!this.video || !select) return;
      this.video.playbackRate = speed;
      select.value = String(speed);
    }
    faster(direction) {
      const select = this.page.querySelector(".speed");
      if (!select) return;
      const at = select.selectedIndex + direction;
      if (at >= 0 && at < select.options.length) this.setSpeed(Number(select.options[at].value));
    }
    get revealed() { return this.screen?.dataset.blur === "off"; }
    blur(on) {
      if (!this.screen) return;
      this.screen.dataset.blur = on ? "on" : "off";
      if (this.video) this.drawHints();
    }
    reveal() { this.blur(this.revealed); }
    grey() {
      if (!this.video) return;
      const grey = this.screen.dataset.grey !== "on";
      this.screen.dataset.grey = grey ? "on" : "off";
      this.drawHints();
      this.prefs.set({ grey });
    }
    mute() {
      if (!this.video) return;
      this.video.muted = !this.video.muted;
      this.prefs.set({ muted: this.video.muted });
    }

    /* Next or previous evidence by start time, marks of all rows together. */
    evidence(direction) {
      const marks = [...this.page.querySelectorAll("#evidence-timeline .mark")];
      const starts = marks.map((mark) => Number(mark.dataset.start)).sort((a, b) => a - b);
      const now = this.time;
      const target = direction > 0
        ? starts.find((start) => start > now + 0.05)
        : starts.reverse().find((start) => start < now - 0.05);
      if (target !== undefined) this.seek(target);
    }
  }
  window.CoefVQ.Player = Player;
})();
