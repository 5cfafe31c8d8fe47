/* Library: the selected videos and what is done with them; the dialog of saved filters. */
(() => {
  const V = window.CoefVQ;
  const typingIn = (element) => element?.closest?.("textarea, select, input:not([type=checkbox])");

  /* The form of a decision on many; `send` gets what the server wants. */
  function decision(page, chosen, act) {
    const panel = page.querySelector("#decide-panel");
    const form = panel.querySelector("form");
    const say = panel.querySelector(".panel-say");
    const boxes = () => [...form.querySelectorAll("fieldset:not([hidden]) [name=policy]")];
    const submit = form.querySelector("[type=submit]");

    function draw() {
      for (const part of form.querySelectorAll("fieldset")) {
        part.hidden = part.dataset.task !== form.elements.task.value;
      }
      const violated = boxes().some((box) => box.checked);
      for (const box of form.querySelectorAll("[name=policy]")) {
        box.closest(".bulk-policy").querySelector("select").disabled = !box.checked;
      }
      const action = form.elements.action;
      for (const option of action.options) {
        option.hidden = option.disabled = Boolean(option.dataset.violation) !== violated;
      }
      if (action.selectedOptions[0]?.disabled) {
        const fit = [...action.options].filter((option) => !option.disabled);
        action.value = (fit.find((option) => "default" in option.dataset) || fit[0]).value;
      }
      submit.textContent = `Decide ${chosen.size} ${chosen.size === 1 ? "video" : "videos"}`;
    }
    form.addEventListener("change", draw);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const violated = boxes().filter((box) => box.checked);
      const reason = (box) => box.closest(".bulk-policy").querySelector("select").value;
      submit.disabled = true;
      const answer = await act("decide", {
        videos: [...chosen], decide_task: form.elements.task.value,
        labels: Object.fromEntries(boxes().map((box) => [box.value, box.checked])),
        reasons: Object.fromEntries(violated.map((box) => [box.value, reason(box)])),
        action: form.elements.action.value, taxonomy: form.elements.taxonomy.value,
        comment: form.elements.comment.value,
      });
      submit.disabled = false;
      say.textContent = answer?.error || "";
      say.classList.toggle("bad", Boolean(answer?.error));
      if (!answer || answer.error) return;
      chosen.clear();
      form.reset();
      V.closePanel();
    });
    return () => { say.textContent = ""; draw(); V.panel("decide-panel"); };
  }

  V.selection = (page, { act, grid }) => {
    const chosen = new Set();
    const bar = page.querySelector(".selection");
    const number = bar.querySelector(".picked-number");
    let last = null;

    function draw() {
      for (const card of grid.children) {
        const on = chosen.has(card.dataset.video);
        card.classList.toggle("picked", on);
        const box = card.querySelector("[data-pick]");
        if (box) box.checked = on;
      }
      bar.hidden = chosen.size === 0;
      number.textContent = chosen.size ? `${chosen.size} selected` : "";
      page.classList.toggle("picking", chosen.size > 0);
    }
    const open = decision(page, chosen, async (name, args) => {
      const answer = await act(name, args);
      if (answer && !answer.error) { chosen.clear(); draw(); }
      return answer;
    });
    function toggle(card, on, range) {
      const cards = [...grid.children];
      const [from, to] = [cards.indexOf(range ? last : card), cards.indexOf(card)];
      const some = from < 0 ? [card] : cards.slice(Math.min(from, to), Math.max(from, to) + 1);
      for (const each of some) {
        if (on) chosen.add(each.dataset.video);
        else chosen.delete(each.dataset.video);
      }
      last = card;
      draw();
    }
    function clear() { chosen.clear(); last = null; draw(); }

    grid.addEventListener("click", (event) => {
      const box = event.target.closest("[data-pick]");
      if (box) toggle(box.closest(".clip"), box.checked, event.shiftKey);
    });
    page.addEventListener("click", async (event) => {
      const doing = event.target.closest("[data-do]")?.dataset.do;
      if (doing === "clear") clear();
      if (doing === "decide") open();
      if (doing !== "send") return;
      const answer = await act("send", { videos: [...chosen] });
      if (answer?.error) V.notify(answer.error, { bad: true });
      else if (answer) clear();
    });
    document.addEventListener("keydown", (event) => {
      if (!page.isConnected || V.openPanel() || typingIn(event.target)) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const card = document.activeElement?.closest?.(".clip") || grid.querySelector(".clip:hover");
      if (event.key === "x" && card?.querySelector("[data-pick]")) {
        event.preventDefault();
        toggle(card, !chosen.has(card.dataset.video), false);
      }
      if (event.key === "Escape" && chosen.size) clear();
      if (event.key === "/") {
        event.preventDefault();
        page.querySelector("#library-search input").focus();
      }
    });
    return {
      draw,
      allow(may) {
        bar.querySelector("[data-do=send]").hidden = !may.send;
        bar.querySelector("[data-do=decide]").hidden = !may.decide;
        page.querySelector("#saved-panel .share").hidden = !may.share;
      },
    };
  };

  V.savedFilters = (page, server, query) => {
    const panel = page.querySelector("#saved-panel");
    const form = panel.querySelector("form");
    const say = panel.querySelector(".panel-say");
    async function ask(name, args) {
      const answer = await V.call(server, name, args);
      say.textContent = answer?.error || "";
      say.classList.toggle("bad", Boolean(answer?.error));
      if (answer?.regions) V.apply(answer.regions);
      return answer;
    }
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const name = form.elements.name.value.trim();
      if (!name) { say.textContent = "Give it a name first."; return; }
      const shared = form.elements.shared.checked;
      const answer = await ask("save_filter", { name, query: query(), shared });
      if (answer && !answer.error) form.reset();
    });
    page.addEventListener("click", async (event) => {
      const button = event.target.closest("[data-do]");
      if (button?.dataset.do === "saved") { await ask("save_filter", {}); V.panel("saved-panel"); }
      if (button?.dataset.do === "drop-filter") ask("drop_filter", { filter: button.dataset.filter });
    });
  };
})();
