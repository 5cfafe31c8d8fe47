/* What both pages need: put fragments on the page, notices, theme, help.
   Fragments come from the server, escaped there; nothing here builds markup from text. */
(() => {
  const THEME_KEY = "coefvq-theme";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const store = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* private mode */ } },
  };

  function showTheme() {
    root.dataset.theme = store.get(THEME_KEY) || (dark.matches ? "dark" : "light");
    document.body?.classList.toggle("dark", root.dataset.theme === "dark");
  }
  function toggleTheme() {
    store.set(THEME_KEY, root.dataset.theme === "dark" ? "light" : "dark");
    showTheme();
  }
  dark.addEventListener("change", showTheme);
  showTheme();

  const last = new Map();
  /* Replace only what changed, so that nothing under the pointer or a finger moves. */
  function apply(regions) {
    const changed = [];
    for (const [id, markup] of Object.entries(regions || {})) {
      const element = document.getElementById(id);
      if (!element || last.get(id) === markup) continue;
      const within = element.contains(document.activeElement);
      element.innerHTML = markup;
      last.set(id, markup);
      changed.push(id);
      if (within && element.tabIndex >= 0) element.focus({ preventScroll: true });
    }
    return changed;
  }

  let hideNotice = 0;
  function notify(text, { bad = false, button = null, seconds = 6 } = {}) {
    const box = document.querySelector(".notice");
    if (!box) return;
    clearTimeout(hideNotice);
    box.replaceChildren(document.createTextNode(text));
    if (button) {
      const action = document.createElement("button");
      action.type = "button";
      action.textContent = button.label;
      action.dataset.do = button.action;
      box.append(action);
    }
    box.classList.toggle("bad", bad);
    box.classList.remove("off");
    hideNotice = setTimeout(() => box.classList.add("off"), seconds * 1000);
  }

  function clock(seconds) {
    if (!Number.isFinite(seconds)) return "–";
    const whole = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, "0");
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }

  /* One call to the server at a time for each name; says so when the server does not answer. */
  const running = new Set();
  async function call(server, name, args) {
    if (running.has(name)) return null;
    running.add(name);
    try {
      return await server[name](args || {});
    } catch (error) {
      console.warn(name, error);
      notify("The server did not answer. Is it still running? Nothing is lost: try again.",
        { bad: true });
      return null;
    } finally {
      running.delete(name);
    }
  }

  function help(open) {
    const dialog = document.getElementById("keyboard-help");
    if (!dialog) return;
    if (open && !dialog.open) dialog.showModal();
    else if (dialog.open) dialog.close();
  }

  const boots = {};
  window.CoefVQ = {
    apply, call, clock, help, notify, store, toggleTheme, boots,
    boot(element, server) {
      showTheme();
      const page = element.querySelector(".cv");
      page?.addEventListener("click", (event) => {
        const name = event.target.closest("[data-do]")?.dataset.do;
        if (name === "theme") toggleTheme();
        if (name === "help") help(true);
        if (name === "close-help") help(false);
      });
      boots[page?.dataset.page]?.(page, server);
    },
  };
})();
