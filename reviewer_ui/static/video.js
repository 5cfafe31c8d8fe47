/* One video: asks for what happened to it, again whenever somebody comes back to the page. */
(() => {
  const V = window.CoefVQ;
  const PAIR = ["copy-videos", "copy-facts", "copy-others"];  // stay while somebody looks at them

  V.boots.video = (page, server) => {
    const id = new URLSearchParams(location.search).get("id") || "";
    let revealed = false;
    let prefs = {};
    const pair = new V.CopyPair(page, {
      values: () => prefs,
      fetch: (match) => V.call(server, "copy_pair", { id, match }),
      send: (args) => V.call(server, "answer_copy", { id, ...args }),
      opened: () => page.querySelector("#video-poster video")?.pause(),
    });

    function reveal() {
      const still = page.querySelector(".still[data-do=reveal]");
      if (!still) return;
      still.setAttribute("aria-pressed", String(revealed));
      const { proxy } = still.dataset;
      const playing = page.querySelector("#video-poster video");
      still.hidden = revealed && Boolean(proxy);
      if (!revealed) playing?.parentElement.remove();
      else if (proxy && !playing) still.after(playerOf(proxy, still.querySelector("img").src));
    }
    function playerOf(proxy, poster) {
      const box = document.createElement("div");
      const video = Object.assign(document.createElement("video"), {
        src: proxy, poster, controls: true, muted: true, playsInline: true, preload: "metadata",
        disablePictureInPicture: true });
      video.setAttribute("controlslist", "nodownload");
      video.setAttribute("aria-label", "The video");
      const hide = document.createElement("button");
      Object.assign(hide, { type: "button", className: "quiet", textContent: "Blur it again" });
      hide.dataset.do = "reveal";
      box.append(video, hide);
      return box;
    }
    function failed(text) {
      const line = document.createElement("p");
      const back = document.createElement("a");
      line.className = "none-found";
      back.href = "/library";
      back.textContent = "Go to the library";
      line.append(`${text} `, back);
      page.querySelector("#video-empty").replaceChildren(line);
      page.classList.add("ready", "failed");
    }
    async function load() {
      if (!id) { failed("No video is named in the address."); return; }
      const answer = await V.call(server, "tell", { id });
      if (!answer) { if (!page.classList.contains("ready")) failed("The server did not answer."); return; }
      if (answer.error) { failed(answer.error); return; }
      prefs = answer.prefs;
      if (pair.isOpen) for (const name of PAIR) delete answer.regions[name];
      V.apply(answer.regions);
      page.querySelector("#video-empty").replaceChildren();
      page.classList.remove("failed");
      document.title = `${answer.title} – COEF-VQ Review`;
      reveal();
      page.classList.add("ready");
    }
    page.addEventListener("click", (event) => {
      if (event.target.closest("[data-do=reveal]")) { revealed = !revealed; reveal(); }
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== pair.keyOf("pair") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (!V.openPanel()) pair.toggle();
    });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) load(); });
    load();
  };
})();
