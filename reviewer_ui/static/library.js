/* Library: browse and filter what the server renders, keep it fresh, hand files to uploads.js. */
(() => {
  const V = window.CoefVQ;
  const POLL_MS = 2500;
  const SEARCH_DELAY_MS = 250;

  V.boots.library = (page, server) => {
    const field = (id) => page.querySelector(`#${id}`).querySelector("input, select");
    const grid = page.querySelector("#library-grid");
    const parsed = new Map();
    let offset = Number(new URLSearchParams(location.search).get("offset")) || 0;
    let batch = [];

    const wanted = () => ({
      search: field("library-search").value.trim(),
      task: field("library-filter-task").value,
      status: field("library-filter-status").value,
      offset,
    });

    /* Put cards in order and replace only those whose markup changed: nothing jumps. */
    function cards(order, markup) {
      const kept = new Map([...grid.children].map((card) => [card.dataset.video, card]));
      order.forEach((id, at) => {
        let card = kept.get(id);
        if (!card || parsed.get(id) !== markup[id]) {
          const fresh = document.createElement("template");
          fresh.innerHTML = markup[id];
          const next = fresh.content.firstElementChild;
          const focused = card?.contains(document.activeElement);
          card?.replaceWith(next);
          card = next;
          parsed.set(id, markup[id]);
          if (focused) card.querySelector("a, button")?.focus({ preventScroll: true });
        }
        kept.delete(id);
        if (grid.children[at] !== card) grid.insertBefore(card, grid.children[at] || null);
      });
      for (const [id, card] of kept) { card.remove(); parsed.delete(id); }
      while (grid.children.length > order.length) grid.lastElementChild.remove();
    }

    function show(answer) {
      if (!answer) return;
      if (answer.error) { V.notify(answer.error, { bad: true }); return; }
      V.apply(answer.regions);
      if (answer.order) cards(answer.order, answer.cards);
      if (answer.note) V.notify(answer.note.text, answer.note);
      if (typeof answer.offset === "number") offset = answer.offset;
      page.classList.add("ready");
    }
    function remember() {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(wanted())) if (value) query.set(name, value);
      history.replaceState(null, "", query.size ? `/library?${query}` : "/library");
    }
    let newest = 0;
    async function load() {
      const asked = ++newest;
      let answer = null;
      try { answer = await server.browse({ ...wanted(), batch }); } catch (error) {
        console.warn("browse", error);
        V.notify("The server did not answer. Is it still running?", { bad: true });
      }
      if (asked === newest) show(answer);
    }
    function changed() { offset = 0; remember(); load(); }

    let delay = 0;
    field("library-search").addEventListener("input", () => {
      clearTimeout(delay);
      delay = setTimeout(changed, SEARCH_DELAY_MS);
    });
    for (const id of ["library-filter-task", "library-filter-status"]) {
      field(id).addEventListener("change", changed);
    }
    page.addEventListener("click", async (event) => {
      const button = event.target.closest("[data-do]");
      if (!button) return;
      if (button.dataset.do === "page") {
        offset = Number(button.dataset.offset);
        remember();
        await load();
        grid.querySelector("a")?.focus();
      }
      if (button.dataset.do === "retry-all") {
        show(await V.call(server, "retry_all", { ...wanted(), batch }));
      }
      if (button.dataset.do === "retry") {
        button.disabled = true;
        show(await V.call(server, "retry", { job: button.dataset.job, ...wanted(), batch }));
      }
    });

    const query = new URLSearchParams(location.search);
    for (const [name, id] of [["search", "library-search"], ["task", "library-filter-task"],
      ["status", "library-filter-status"]]) {
      if (query.get(name)) field(id).value = query.get(name);
    }
    V.uploads(page, (ids) => { batch = [...batch, ...ids]; load(); });
    setInterval(() => { if (!document.hidden) load(); }, POLL_MS);
    load();
  };
})();
