/* The bell in every header, and the list of alarms where a page has its calls. */
(() => {
  const V = window.CoefVQ;
  const BELL_MS = 60000;
  const LIST_MS = 30000;
  const AGAIN_MS = 3000;
  const boot = V.boot;

  /* Nobody is told when this fails: the page's own calls say that the server is gone. It is
     asked again soon, or a page opened while the server starts would be without its bell. */
  async function ring() {
    let heard = document.hidden;
    try {
      const answer = heard ? null : await fetch("/alarms/bell");
      heard ||= answer.status < 500;
      if (answer?.ok) V.apply({ "alarm-bell": (await answer.json()).html });
    } catch { /* asked again below */ }
    setTimeout(ring, heard ? BELL_MS : AGAIN_MS);
  }

  function list(page, server) {
    const show = (answer) => {
      if (!answer) return;
      if (answer.error) {
        page.querySelector("#alarms").hidden = true;  // the page says why it is not for them
        return;
      }
      V.apply(answer.regions);
      if (answer.note) V.notify(answer.note.text, answer.note);
      page.querySelector("#alarms").classList.add("ready");
      if (location.hash === "#alarms" && !page.dataset.shown) {
        page.dataset.shown = "1";
        page.querySelector("#alarms").scrollIntoView();
      }
    };
    page.addEventListener("click", async (event) => {
      const button = event.target.closest("[data-do=acknowledge]");
      if (!button) return;
      button.disabled = true;
      const answer = await V.call(server, "acknowledge_alarm", { alarm: button.dataset.alarmId });
      button.disabled = false;
      if (answer?.error) V.notify(answer.error, { bad: true, seconds: 10 });
      else show(answer);
    });
    const load = async () => show(await V.call(server, "list_alarms", {}));
    setInterval(() => { if (!document.hidden) load(); }, LIST_MS);
    load();
  }

  V.boot = (element, server) => {
    boot(element, server);
    const page = element.querySelector(".cv");
    if (page?.querySelector("#alarms")) list(page, server);
    else if (page?.querySelector("#alarm-bell")) ring();
  };
})();
