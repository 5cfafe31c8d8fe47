/* Review: open a case, keys, submit and next, poll. State lives on the server. */
(() => {
  const V = window.CoefVQ;
  const POLL_MS = 3000;

  V.boots.review = (page, server) => {
    const keys = JSON.parse(page.dataset.keys);
    const player = new V.Player(page);
    const form = new V.Form(page, { player, save: (values) => server.save_draft(values) });
    let current = null;
    let busy = false;

    function show(answer) {
      if (!answer) return;
      const changed = V.apply(answer.regions);
      if (changed.includes("review-player")) player.attach();
      if (changed.includes("decision-form")) form.attach();
      if (changed.includes("evidence-timeline")) player.draw();
      if ("case" in answer) moved(answer.case);
      if (answer.note) V.notify(answer.note.text, answer.note);
      if (answer.error) {
        if (page.dataset.empty === "on" || !form.form) V.notify(answer.error, { bad: true });
        else form.error(answer.error, answer.policy);
      }
      countdown();
    }
    function moved(id) {
      page.dataset.empty = id ? "off" : "on";
      page.querySelector(".desk").classList.remove("waiting");
      if (id !== current) for (const box of page.querySelectorAll(".card")) box.scrollTop = 0;
      current = id;
      const address = id ? `/?case=${encodeURIComponent(id)}` : "/";
      if (location.pathname + location.search !== address) history.replaceState(null, "", address);
    }

    /* Every change goes through here: one at a time, and the form keeps what was typed. */
    async function ask(name, args) {
      if (busy) return;
      busy = true;
      form.settle();
      page.setAttribute("aria-busy", "true");
      try { show(await V.call(server, name, args)); } finally {
        busy = false;
        page.removeAttribute("aria-busy");
      }
    }
    const here = () => ({ case: current, token: form.form ? form.values().token : null });
    const open = (id) => ask("open_case", { case: id });

    /* The lease ran out. Keep what was typed, take the case again if it is free, else say so. */
    async function reclaim(reason) {
      await form.flush();
      await open(current);
      if (!form.form?.dataset.token) form.error(reason);
    }

    const actions = {
      reason: () => form.nextReason(),
      comment: () => form.comment(),
      submit: () => current && ask("submit", form.values()),
      skip: () => current && ask("skip", form.values()),
      undo: () => ask("undo", {}),
      "second-look": () => current && ask("second_look", form.values()),
      play: () => player.toggle(),
      back: () => player.step(-5),
      forward: () => player.step(5),
      "frame-back": () => player.frame(-1),
      "frame-forward": () => player.frame(1),
      slower: () => player.faster(-1),
      faster: () => player.faster(1),
      "next-evidence": () => player.evidence(1),
      "previous-evidence": () => player.evidence(-1),
      "range-start": () => form.setRange("start"),
      "range-end": () => form.setRange("end"),
      "range-clear": () => form.clearRange(),
      reveal: () => player.reveal(),
      blur: () => player.blur(true),
      grey: () => player.grey(),
      mute: () => player.mute(),
      help: () => V.help(!document.getElementById("keyboard-help").open),
      "ask-mllm": () => ask("ask_mllm", here()),
      explain: () => ask("explain", here()),
      next: () => open(null),
      "to-form": () => page.querySelector("#decision-form").scrollIntoView({ block: "start" }),
    };
    function act(name) {
      if (name.startsWith("policy:")) form.toggleNumber(name.slice(7));
      else actions[name]?.();
    }

    page.addEventListener("click", (event) => {
      const time = event.target.closest("[data-start]");
      if (time && event.target.closest("button")) player.seek(Number(time.dataset.start));
      const name = event.target.closest("[data-do]")?.dataset.do;
      if (name && !["help", "theme", "close-help"].includes(name)) act(name);
      const tab = event.target.closest("a[data-case]");
      if (tab && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        open(tab.dataset.case);
      }
    });

    const typing = (element) => element.matches(
      "textarea, [contenteditable], input:not([type=range])");
    /* A control that was reached with Tab keeps Enter, space and arrows for itself. */
    function native(key, element) {
      if (element.matches("select")) return /^(Arrow|Home|End|Page|Tab| )/.test(key);
      const own = element.matches("button, a") && element.matches(":focus-visible");
      return own && (key === "Enter" || key === " ");
    }
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      const element = document.activeElement || document.body;
      if (event.key === "Escape" && element !== document.body) element.blur();
      if (typing(element)) {
        if (event.key === "Enter" && element.name === "comment") {
          event.preventDefault();
          element.blur();
        }
        return;
      }
      const name = keys[event.key];
      const dialog = document.getElementById("keyboard-help");
      if (!name || native(event.key, element) || (dialog.open && name !== "help")) return;
      if (event.repeat && !/frame|back|forward|evidence/.test(name)) return;
      event.preventDefault();
      act(name);
    });

    function countdown() {
      const place = page.querySelector("#queue-counts .lease");
      const until = form.form?.offsetParent ? Number(form.form.dataset.expires) : 0;
      if (!place) return;
      place.hidden = !until;
      if (!until) return;
      const left = until - Date.now() / 1000;
      place.querySelector("b").textContent = left > 0 ? V.clock(left) : "over";
      place.classList.toggle("late", left < 60);
    }
    setInterval(countdown, 1000);
    setInterval(async () => {
      if (document.hidden || busy) return;
      const asked = current;
      const answer = await V.call(server, "poll", here());
      if (busy || asked !== current || !answer) return;
      if (form.form) {
        if (answer.expires) form.form.dataset.expires = answer.expires;
        if (answer.verdict) form.form.dataset.verdict = answer.verdict;
      }
      show(answer.lost ? { regions: answer.regions } : answer);
      if (answer.lost) reclaim(answer.error);
    }, POLL_MS);

    const reached = new IntersectionObserver(([entry]) => page.querySelector(".to-form")
      .classList.toggle("reached", entry.isIntersecting));
    reached.observe(page.querySelector("#decision-form"));
    open(new URLSearchParams(location.search).get("case"));
  };
})();
