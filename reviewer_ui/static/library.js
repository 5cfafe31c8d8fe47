/* Library: browse, search and filter what the server renders; what is shown is in the address. */
(() => {
  const V = window.CoefVQ;
  const POLL_MS = 2500;
  const SEARCH_DELAY_MS = 250;
  const FIELDS = { search: "library-search", task: "library-filter-task",
    status: "library-filter-status", queue: "library-filter-queue",
    policy: "library-filter-policy", uploader: "library-filter-uploader" };

  /* Put cards in order and replace only those whose markup changed: nothing jumps. */
  function board(grid, drawn) {
    const parsed = new Map();
    return (order, markup) => {
      const kept = new Map([...grid.children].map((card) => [card.dataset.video, card]));
      order.forEach((id, at) => {
        let card = kept.get(id);
        if (!card || parsed.get(id) !== markup[id]) {
          const fresh = document.createElement("template");
          fresh.innerHTML = markup[id];
          const next = fresh.content.firstElementChild;
          const focused = card?.contains(document.activeElement);
          const box = focused && document.activeElement.matches("[data-pick]");
          card?.replaceWith(next);
          card = next;
          parsed.set(id, markup[id]);
          if (focused) card.querySelector(box ? "[data-pick]" : "h3 a")?.focus({ preventScroll: true });
        }
        kept.delete(id);
        if (grid.children[at] !== card) grid.insertBefore(card, grid.children[at] || null);
      });
      for (const [id, card] of kept) { card.remove(); parsed.delete(id); }
      while (grid.children.length > order.length) grid.lastElementChild.remove();
      drawn();
    };
  }

  V.boots.library = (page, server) => {
    const field = (name) => page.querySelector(`#${FIELDS[name]}`).querySelector("input, select");
    const grid = page.querySelector("#library-grid");
    const empty = page.querySelector("#library-empty");
    const query = { offset: 0, similar: "" };
    let batch = [];
    let undo = null;

    const wanted = () => {
      const found = { offset: query.offset, similar: query.similar };
      for (const name of Object.keys(FIELDS)) found[name] = query[name] ?? "";
      return found;
    };
    function address(names = [...Object.keys(FIELDS), "similar", "offset"]) {
      const parts = new URLSearchParams();
      for (const name of names) if (query[name]) parts.set(name, query[name]);
      return parts.toString();
    }
    /* One step back in the browser's history is one change here; typing is one change. */
    function remember(replace) {
      const words = address();
      const where = words ? `/library?${words}` : "/library";
      if (where === location.pathname + location.search) return;
      if (replace) history.replaceState(history.state, "", where);
      else history.pushState(null, "", where);
    }
    function fromAddress() {
      const given = new URLSearchParams(location.search);
      query.offset = Number(given.get("offset")) || 0;
      query.similar = given.get("similar") || "";
      for (const name of Object.keys(FIELDS)) {
        query[name] = given.get(name) || "";
        if (document.activeElement !== field(name)) field(name).value = query[name];
      }
    }

    const chosen = V.selection(page, { act, grid });
    const cards = board(grid, () => chosen.draw());
    function show(answer) {
      grid.setAttribute("aria-busy", "false");
      if (!answer) return;
      if (answer.error) { V.notify(answer.error, { bad: true }); failed(answer.error); return; }
      V.apply(answer.regions);
      const queues = page.querySelector("#library-queues");
      page.querySelector(`#${FIELDS.queue}`).hidden = queues.options.length === 0;
      for (const name of ["queue", "task", "policy"]) {
        if (document.activeElement !== field(name)) field(name).value = query[name] || "";
      }
      if (answer.order) cards(answer.order, answer.cards);
      if (answer.may) chosen.allow(answer.may);
      if (answer.undo) undo = answer.undo;
      if (answer.note) V.notify(answer.note.text, answer.undo
        ? { button: { label: "Undo", action: "undo-batch" }, until: Date.now() + 30000 }
        : answer.note);
      if (typeof answer.offset === "number") query.offset = answer.offset;
      page.classList.add("ready");
    }
    /* Nothing was shown yet: an empty page must say why. */
    function failed(text) {
      page.classList.add("ready");
      if (grid.children.length) return;
      const line = document.createElement("p");
      const again = document.createElement("button");
      line.className = "none-found";
      again.type = "button";
      again.className = "ask";
      again.textContent = "Try again";
      again.dataset.do = "again";
      line.append(`${text} `, again);
      empty.replaceChildren(line);
    }
    let newest = 0;
    async function load(asked = true) {
      const mine = ++newest;
      if (asked) grid.setAttribute("aria-busy", "true");
      let answer = null;
      try { answer = await server.browse({ ...wanted(), batch }); } catch (error) {
        console.warn("browse", error);
        const text = "The server did not answer. Is it still running?";
        V.notify(text, { bad: true });
        if (mine === newest) failed(text);
      }
      if (mine === newest) show(answer);
    }
    async function act(name, args) {
      newest += 1; // an answer that is on its way shows how it was before
      const answer = await V.call(server, name, { ...wanted(), batch, ...args });
      if (!answer?.error) show(answer);
      return answer;
    }
    let typing = false;
    function changed(name) {
      for (const each of Object.keys(FIELDS)) query[each] = field(each).value.trim();
      query.offset = 0;
      query.similar = "";
      const text = name === "search" || name === "uploader";
      remember(text && typing);
      typing = text;
      load();
    }
    function go(words, focus) {
      typing = false;
      history.pushState(null, "", words ? `/library?${words}` : "/library");
      document.activeElement?.blur?.();
      fromAddress();
      return load().then(() => focus?.());
    }

    let delay = 0;
    for (const name of Object.keys(FIELDS)) {
      const typed = name === "search" || name === "uploader";
      field(name).addEventListener(typed ? "input" : "change", () => {
        clearTimeout(delay);
        delay = setTimeout(() => changed(name), typed ? SEARCH_DELAY_MS : 0);
      });
    }
    const plainClick = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    const toFirst = () => grid.querySelector("h3 a")?.focus();
    const doings = {
      page: (button) => { query.offset = Number(button.dataset.offset); typing = false;
        remember(false); load().then(toFirst); },
      again: () => load(),
      similar: (link) => go(`similar=${encodeURIComponent(link.dataset.video)}`, () => {
        window.scrollTo(0, 0);
        page.querySelector("#library-similar a")?.focus();
      }),
      whole: () => go("", toFirst),
      "open-filter": (link) => { V.closePanel(); go(new URL(link.href).search.slice(1)); },
      "retry-all": () => act("retry_all"),
      retry: (button) => { button.disabled = true; act("retry", { job: button.dataset.job }); },
      "undo-batch": async () => { V.quiet();
        const answer = await act("undo", { undo_batch: undo });
        if (answer?.error) V.notify(answer.error, { bad: true }); },
    };
    page.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      const doing = button && doings[button.dataset.do];
      if (!doing || (button.href && !plainClick(event))) return;
      if (button.href) event.preventDefault();
      doing(button);
    });
    window.addEventListener("popstate", () => { typing = false; document.activeElement?.blur?.();
      fromAddress(); load(); });

    V.savedFilters(page, server, () => address(Object.keys(FIELDS)));
    V.uploads(page, (ids) => { batch = [...batch, ...ids].slice(-500); load(false); });
    fromAddress();
    setInterval(() => { if (!document.hidden) load(false); }, POLL_MS);
    load();
  };
})();
