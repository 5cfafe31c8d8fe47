/* What all pages need: put fragments on the page, notices, theme, panels, preferences.
   Fragments come from the server, escaped there; nothing here builds markup from text. */
(() => {
  const THEME_KEY = "coefvq-theme";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const store = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* private mode */ } },
  };

  /* Gradio's page names a manifest of its own before ours, and the first one counts. */
  for (const link of document.querySelectorAll('link[rel="manifest"]')) {
    if (!link.getAttribute("href").startsWith("/ui/")) link.remove();
  }

  function showTheme() {
    const chosen = store.get(THEME_KEY);
    const own = chosen === "dark" || chosen === "light";
    root.dataset.theme = own ? chosen : dark.matches ? "dark" : "light";
    document.body?.classList.toggle("dark", root.dataset.theme === "dark");
  }
  function setTheme(name) {
    store.set(THEME_KEY, name);
    showTheme();
  }
  function toggleTheme() {
    const name = root.dataset.theme === "dark" ? "light" : "dark";
    setTheme(name);
    return name;
  }
  dark.addEventListener("change", showTheme);
  showTheme();

  /* What names the focused element inside a region, so that it is found again after a refresh. */
  const focusName = (element) => {
    for (const name of ["id", "data-queue", "data-do", "name"]) {
      const value = element?.getAttribute(name);
      if (value !== null && value !== undefined) return `[${name}="${CSS.escape(value)}"]`;
    }
    return null;
  };
  const last = new Map();
  /* Replace only what changed, so that nothing under the pointer or a finger moves. */
  function apply(regions) {
    const changed = [];
    for (const [id, markup] of Object.entries(regions || {})) {
      const element = document.getElementById(id);
      if (!element || last.get(id) === markup) continue;
      const within = element.contains(document.activeElement);
      const name = within && focusName(document.activeElement);
      element.innerHTML = markup;
      last.set(id, markup);
      changed.push(id);
      if (!within) continue;
      const again = element.querySelector(name || "none") || (element.tabIndex >= 0 && element);
      if (again) again.focus({ preventScroll: true });
    }
    return changed;
  }

  let hideNotice = 0;
  let tick = 0;
  /* `until` (ms) counts down beside the button; the count is for eyes only. */
  function notify(text, { bad = false, button = null, seconds = 6, until = 0 } = {}) {
    const box = document.querySelector(".notice");
    if (!box) return;
    clearTimeout(hideNotice);
    clearInterval(tick);
    box.replaceChildren(document.createTextNode(text));
    if (button) {
      const action = document.createElement(button.href ? "a" : "button");
      if (button.href) action.href = button.href;
      else action.type = "button";
      action.textContent = button.label;
      action.dataset.do = button.action || "";
      box.append(action);
    }
    box.classList.toggle("bad", bad);
    box.classList.remove("off");
    if (until) countDown(box, until);
    const rest = until ? until - Date.now() : seconds * 1000;
    hideNotice = setTimeout(quiet, Math.max(0, rest));
  }
  function quiet() {
    clearInterval(tick);
    const box = document.querySelector(".notice");
    box?.classList.add("off");
    box?.querySelector("button, a")?.remove();
  }
  function countDown(box, until) {
    const left = document.createElement("span");
    left.className = "left";
    left.setAttribute("aria-hidden", "true");
    const draw = () => {
      left.textContent = `${Math.max(0, Math.ceil((until - Date.now()) / 1000))} s`;
    };
    draw();
    box.append(left);
    tick = setInterval(draw, 500);
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
      await sayWhy();
      return null;
    } finally {
      running.delete(name);
    }
  }
  async function sayWhy() {
    let status = 0;
    try { status = (await fetch("/who")).status; } catch { /* it does not answer */ }
    if (status === 401) {
      const back = encodeURIComponent(location.pathname + location.search);
      notify("You are signed out. What you typed is still here.", {
        bad: true, seconds: 60, button: { label: "Sign in", href: `/login?next=${back}` } });
    } else {
      notify("The server did not answer. Is it still running? Nothing is lost: try again.",
        { bad: true });
    }
  }

  /* Dialogs: one at a time. */
  const openPanel = () => document.querySelector(".cv dialog[open]");
  /* A browser leaves the focus inside a closed dialog until it draws again: a key pressed
     meanwhile would go to a field that nobody sees. */
  function closePanel() {
    const open = openPanel();
    if (!open) return;
    open.close();
    if (open.contains(document.activeElement)) document.activeElement.blur();
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || !openPanel()) return;
    event.preventDefault();
    event.stopPropagation();
    closePanel();
  }, true);
  function panel(id) {
    const before = openPanel();
    closePanel();
    const wanted = document.getElementById(id);
    if (wanted && wanted !== before) wanted.showModal();
  }
  const help = () => panel("keyboard-help");

  const boots = {};
  window.CoefVQ = {
    apply, call, clock, help, notify, closePanel, openPanel, panel, quiet, setTheme, store, toggleTheme, boots,
    boot(element, server) {
      showTheme();
      const page = element.querySelector(".cv");
      page?.addEventListener("click", (event) => {
        const name = event.target.closest("[data-do]")?.dataset.do;
        if (name === "theme" && page.dataset.page !== "review") {
          toggleTheme();
          store.set("coefvq-theme-chosen", "here");  // Review tells the server
        }
        if (name === "help") help();
        if (name === "close-help" || name === "close-panel") closePanel();
      });
      boots[page?.dataset.page]?.(page, server);
    },
  };
})();
