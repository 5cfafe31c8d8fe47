/* Review: open a case, keys, submit and next, poll. State lives on the server. */
(() => {
  const V = window.CoefVQ;
  const POLL_MS = 3000;

  V.boots.review = (page, server) => {
    const keys = JSON.parse(page.dataset.keys);
    const undoMs = Number(page.dataset.undo) * 1000;
    const prefs = new V.Prefs((changes) => server.save_preferences(changes));
    const player = new V.Player(page, prefs);
    const form = new V.Form(page, {
      player,
      save: (values) => server.save_draft(values),
      write: (values) => server.notice(values),
    });
    const here = () => ({ case: current, token: form.form ? form.values().token : null });
    const tools = new V.CasePanel(page, {
      note: (args) => V.call(server, "add_note", { case: current, ...args }),
      assign: (args) => V.call(server, "assign", { case: current, ...args }),
    });
    const settings = new V.Settings(page, prefs, () => player.prepare());
    const queues = new V.Queues(page);
    const pair = new V.CopyPair(page, {
      values: () => prefs.values,
      fetch: (match) => V.call(server, "copy_pair", { case: current, match }),
      send: (args) => V.call(server, "answer_copy", { case: current, ...args }),
      opened: () => player.video?.pause(),
      answered: (answer) => {
        const filled = V.propose(form, answer.proposal);
        return filled && `${answer.said} Filled in below: ${filled}.`;
      },
    });
    const watch = new V.Watch(() => player.revealed || pair.revealed, async (args) => {
      try { V.apply((await server.exposure(args))?.regions); } catch { /* counted next time */ }
    });
    let current = null;
    let busy = false;

    function show(answer) {
      if (!answer) return;
      if (answer.prefs) prefs.load(answer.prefs);
      const changed = V.apply(answer.regions);
      if (changed.includes("review-player")) player.attach();
      if (changed.includes("decision-form")) form.attach();
      if (changed.includes("evidence-timeline")) player.draw();
      if (changed.includes("copy-videos")) pair.changed();
      if (answer.summary) tools.summary(answer.summary);
      if ("case" in answer) moved(answer.case);
      if (answer.note) said(answer.note);
      if (answer.error) failed(answer);
      countdown();
    }
    function said(note) {
      V.notify(note.text, note.undo ? { ...note, until: Date.now() + undoMs } : note);
    }
    function failed(answer) {
      const beside = page.dataset.empty === "off" && form.form;
      if (beside) form.error(answer.error, answer.policy);
      else V.notify(answer.error, { bad: true });
    }
    function moved(id) {
      page.dataset.empty = id ? "off" : "on";
      page.querySelector(".desk").classList.remove("waiting", "failed");
      if (id !== current) {
        for (const box of page.querySelectorAll(".card")) box.scrollTop = 0;
        tools.moved();
      }
      current = id;
      watch.moved(id);
      const address = id ? `/?case=${encodeURIComponent(id)}` : "/";
      if (location.pathname + location.search !== address) history.replaceState(null, "", address);
    }

    /* Every change goes through here: one at a time, and the form keeps what was typed.
       `args` may be a function, read when the notice to the uploader is there. */
    async function ask(name, args) {
      if (busy) return;
      busy = true;
      page.setAttribute("aria-busy", "true");
      try {
        await form.notice.pending;
        const values = typeof args === "function" ? args() : args;
        form.settle();
        const answer = await V.call(server, name, values);
        show(answer);
        unopened(answer?.error);
      } finally {
        busy = false;
        form.reopen();
        page.removeAttribute("aria-busy");
      }
    }
    /* Nothing could be shown yet: say why in the place of the case. */
    function unopened(why) {
      const desk = page.querySelector(".desk");
      desk.classList.toggle("failed", desk.classList.contains("waiting"));
      if (why) page.querySelector(".no-answer h2").textContent = why;
    }
    const open = (id, first = false) => ask("open_case", { case: id, first });
    const withForm = (name, more) => current && form.form
      && ask(name, () => ({ ...form.values(), ...more }));

    /* The lease ran out. Keep what was typed, take the case again if it is free, else say so. */
    async function reclaim(reason) {
      await form.flush();
      await open(current);
      if (form.form && !form.form.dataset.token) form.error(reason);
    }

    const actions = {
      reason: () => form.nextReason(),
      action: () => form.nextAction(),
      comment: () => form.comment(),
      notice: () => form.notice.focus(),
      submit: () => withForm(form.form && "blind" in form.form.dataset ? "first_answer" : "submit"),
      skip: () => current && form.askSkip(true),
      "skip-cancel": () => form.askSkip(false),
      undo: () => ask("undo", {}),
      "second-look": () => withForm("second_look"),
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
      pair: () => current && pair.toggle(),
      case: () => current && tools.open(),
      "copy-link": () => current && tools.copyLink(),
      "assign-me": () => tools.give("me"),
      "assign-nobody": () => tools.give("nobody"),
      assign: () => tools.give("name"),
      queues: () => queues.open(),
      settings: () => settings.open(),
      theme: () => prefs.set({ theme: V.toggleTheme() }),
      help: () => V.help(),
      "ask-mllm": () => ask("ask_mllm", here()),
      explain: () => ask("explain", here()),
      next: () => open(null),
      again: () => open(current || new URLSearchParams(location.search).get("case"), true),
      "to-form": () => page.querySelector("#decision-form").scrollIntoView({ block: "start" }),
    };
    function act(name) {
      if (name.startsWith("policy:")) form.toggleNumber(name.slice(7));
      else actions[name]?.();
    }
    function skip(reason) {
      form.askSkip(false);
      withForm("skip", { reason });
    }

    page.addEventListener("click", (event) => {
      const target = event.target.closest("[data-start], [data-do], [data-skip], [data-queue],"
        + " a[data-case]");
      if (!target) return;
      const { start, do: name, skip: reason, queue, case: other } = target.dataset;
      if (start !== undefined && target.matches("button")) player.seek(Number(start));
      else if (name && name !== "help") act(name);
      else if (reason) skip(reason);
      else if (queue !== undefined) choose(queue);
      else if (other && target.matches("a") && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        open(other);
      }
    });
    /* What stands in a restricted queue is not to be kept: no "save as" in the browser's menu. */
    page.addEventListener("contextmenu", (event) => {
      const video = page.querySelector("video[data-restricted]");
      if (video && event.target.closest("#review-player")) event.preventDefault();
    });
    async function choose(queue) {
      V.closePanel();
      await form.flush();
      ask("choose_queue", { ...here(), queue });
    }

    const typing = (element) => element.matches(
      "textarea, [contenteditable], input:not([type=range], [type=checkbox])");
    /* A control that was reached with Tab keeps Enter, space and arrows for itself. */
    function native(key, element) {
      if (element.matches("select")) return /^(Arrow|Home|End|Page|Tab| )/.test(key);
      const own = element.matches("button, a") && element.matches(":focus-visible");
      return own && (key === "Enter" || key === " ");
    }
    /* While a reason to skip is chosen, its keys come first. */
    function skipKey(event) {
      const wanted = event.key === keyOf("skip") ? "Enter" : event.key;
      const button = form.skipChoice.querySelector(`[data-key="${CSS.escape(wanted)}"]`);
      if (button) skip(button.dataset.skip);
      else if (event.key === "Escape") form.askSkip(false);
      else return event.key !== "Tab";
      return true;
    }
    const keyOf = (action) => Object.keys(keys).find((key) => keys[key] === action);
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      const element = document.activeElement || document.body;
      const panel = V.openPanel();
      const name = keys[event.key];
      if (panel) {
        if (typing(element) || !["help", "case", "queues"].includes(name)) return;
        event.preventDefault();
        V.closePanel();
        return;
      }
      if (form.skipping) {
        if (skipKey(event)) event.preventDefault();
        return;
      }
      if (event.key === "Escape" && element !== document.body) element.blur();
      if (typing(element)) {
        const leaves = element.name === "comment"
          || (element.name === "notice" && !event.shiftKey);
        if (event.key === "Enter" && leaves) {
          event.preventDefault();
          element.blur();
        }
        return;
      }
      if (!name || native(event.key, element)) return;
      if (event.repeat && !/frame|back|forward|evidence/.test(name)) return;
      event.preventDefault();
      act(name);
    });

    function countdown() {
      const rest = page.querySelector("#calm .left[data-until]");
      if (rest) rest.textContent = V.clock(Number(rest.dataset.until) - Date.now() / 1000);
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
    open(new URLSearchParams(location.search).get("case"), true);
  };
})();
