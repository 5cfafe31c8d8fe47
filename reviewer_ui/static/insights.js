/* Insights: what is chosen, the budget dial, new figures on request. Fragments come from the
   server, escaped there; the dial only looks up in the table that came with it. */
(() => {
  const V = window.CoefVQ;
  const POLL_MS = 1000;
  const LOOK_MS = 60000;
  const SVG = "http://www.w3.org/2000/svg";
  const CHOICES = ["task", "days", "basis", "subject"];

  V.boots.insights = (page, server) => {
    const find = (query) => page.querySelector(query);
    const chosen = Object.fromEntries(new URLSearchParams(location.search));
    let polling = 0;

    const wish = () => Object.fromEntries(CHOICES.map((name) => [name, chosen[name] || ""]));
    function remember(found) {
      Object.assign(chosen, found);
      const query = new URLSearchParams();
      for (const name of CHOICES) if (chosen[name]) query.set(name, chosen[name]);
      history.replaceState(null, "", `${location.pathname}?${query}`);
    }
    /* The page is not for this person, or what it asks for is gone: say so in its place. */
    function refused(words) {
      const line = document.createElement("p");
      line.className = "card tip";
      line.textContent = words;
      find("#insights-note").replaceChildren(line);
    }
    function show(answer) {
      if (!answer) return false;
      if (answer.error) {
        if (page.classList.contains("ready")) V.notify(answer.error, { bad: true, seconds: 10 });
        else refused(answer.error);
        return false;
      }
      find("#insights-note").replaceChildren();
      V.apply(answer.regions);
      if (answer.chosen) {
        remember(answer.chosen);
        turn(false);
      }
      page.classList.add("ready");
      if (answer.busy) poll();
      return true;
    }

    /* The dial: text out of its own table, a mark on the curve. */
    function rows() {
      const dial = find("#budget-dial");
      return dial ? JSON.parse(dial.dataset.rows) : [];
    }
    let table = { of: "", rows: [] };
    function known() {
      const dial = find("#budget-dial");
      if (dial && table.of !== dial.dataset.rows) table = { of: dial.dataset.rows, rows: rows() };
      return dial ? table.rows : [];
    }
    function turn(moved) {
      const dial = find("#budget-dial");
      const row = dial && known()[Number(dial.value)];
      if (!row) return;
      find("#budget-value").textContent = row.budget;
      dial.setAttribute("aria-valuetext", row.budget);
      if (moved) {
        for (const [name, words] of Object.entries(row.cells)) {
          const cell = find(`#budget-figures [data-cell="${name}"]`);
          if (cell) cell.textContent = words;
        }
      }
      mark(Number(dial.value) / Number(dial.max));
    }
    function mark(share) {
      const plot = find("#operating-curve svg");
      if (!plot) return;
      plot.querySelector(".dial-mark")?.remove();
      const points = [...plot.querySelectorAll("circle[data-x]")].filter(
        (each) => Math.abs(Number(each.dataset.x) - share) < 1e-6);
      if (!points.length) return;
      const group = document.createElementNS(SVG, "g");
      group.setAttribute("class", "dial-mark");
      for (const point of points) {
        const dot = document.createElementNS(SVG, "circle");
        for (const name of ["cx", "cy"]) dot.setAttribute(name, point.getAttribute(name));
        dot.setAttribute("r", "5");
        group.append(dot);
      }
      plot.append(group);
    }

    async function load() {
      show(await V.call(server, "overview", wish()));
    }
    async function poll() {
      clearTimeout(polling);
      polling = setTimeout(async () => {
        const answer = await V.call(server, "progress", {});
        if (!answer || answer.error) return;
        if (answer.busy) {
          V.apply(answer.regions);
          poll();
        } else {
          load();
        }
      }, POLL_MS);
    }

    page.addEventListener("input", (event) => {
      if (event.target.id === "budget-dial") turn(true);
    });
    let asked = 0;
    page.addEventListener("change", async (event) => {
      const name = event.target.dataset.choose;
      if (name) {
        chosen[name] = event.target.value;
        await load();
      } else if (event.target.id === "budget-dial") {
        const mine = ++asked;
        const at = Number(event.target.value);
        const answer = await V.call(server, "dial", { ...wish(), at });
        if (answer?.error) V.notify(answer.error, { bad: true });
        else if (answer && mine === asked) V.apply(answer.regions);
      }
    });
    page.addEventListener("click", async (event) => {
      const button = event.target.closest("[data-do=compute]");
      if (!button) return;
      button.disabled = true;
      if (!show(await V.call(server, "compute", {}))) button.disabled = false;
    });
    setInterval(() => {
      const turning = document.activeElement?.id === "budget-dial";
      if (!document.hidden && !turning && page.classList.contains("ready")) load();
    }, LOOK_MS);
    load();
  };
})();
