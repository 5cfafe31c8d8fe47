/* Uploads: our own drop area; each file goes to our own route, with its own progress bar. */
(() => {
  const V = window.CoefVQ;
  const size = (bytes) => (bytes < 1048576 ? `${Math.max(1, Math.round(bytes / 1024))} KB`
    : `${(bytes / 1048576).toFixed(1)} MB`);

  function row(file) {
    const line = document.createElement("li");
    const name = document.createElement("span");
    name.className = "file-name";
    name.dir = "auto";
    name.textContent = file.name;
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", `Upload of ${file.name}`);
    const state = document.createElement("span");
    state.className = "file-state";
    state.textContent = size(file.size);
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "file-drop";
    drop.textContent = "×";
    drop.setAttribute("aria-label", `Remove ${file.name}`);
    const again = document.createElement("button");
    again.type = "button";
    again.className = "file-again";
    again.textContent = "Retry";
    again.hidden = true;
    again.setAttribute("aria-label", `Retry ${file.name}`);
    line.append(name, bar, state, again, drop);
    return { file, line, bar, state, again, drop, done: false, waiting: true };
  }

  /* XMLHttpRequest, because fetch does not report how much was sent. */
  function send(item, posted, limit) {
    return new Promise((resolve) => {
      if (item.file.size > limit) {
        resolve({ error: `Larger than the limit of ${size(limit)}.` });
        return;
      }
      const request = new XMLHttpRequest();
      const query = new URLSearchParams({ name: item.file.name });
      for (const [key, value] of Object.entries(posted)) if (value) query.set(key, value);
      request.open("POST", `/upload?${query}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable) return;
        item.bar.value = event.loaded / event.total;
        item.state.textContent = `${Math.round((event.loaded / event.total) * 100)} %`;
      });
      request.addEventListener("load", () => {
        try { resolve(JSON.parse(request.responseText)); } catch {
          resolve({ error: request.responseText || `The server answered ${request.status}.` });
        }
      });
      request.addEventListener("error", () => resolve({ error: "The connection broke. Try again." }));
      request.send(item.file);
    });
  }

  /* What was dropped: files, and those in folders. Entries must be taken before the first wait. */
  async function dropped(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
    const found = [];
    for (const entry of entries) await walk(entry, found);
    return found.filter((file) => !file.name.startsWith("."));
  }
  async function walk(entry, found) {
    if (entry.isFile) {
      const file = await new Promise((done) => { entry.file(done, () => done(null)); });
      if (file) found.push(file);
      return;
    }
    const reader = entry.createReader();
    const more = () => new Promise((done) => { reader.readEntries(done, () => done([])); });
    for (let some = await more(); some.length; some = await more()) {
      for (const each of some) await walk(each, found);
    }
  }

  V.uploads = (page, added) => {
    const area = page.querySelector("#upload-videos");
    const input = area.querySelector("input");
    const start = page.querySelector("#upload-start");
    const list = page.querySelector(".files");
    const value = (id) => page.querySelector(`#${id}`).querySelector("input, textarea");
    const limit = Number(area.dataset.limit);
    let items = [];
    let sending = false;

    function draw() {
      const left = items.filter((item) => item.waiting).length;
      start.disabled = sending || left === 0;
      start.textContent = left > 1 ? `Upload ${left} videos` : "Upload";
      list.hidden = items.length === 0;
    }
    function forget(item) {
      items = items.filter((other) => other !== item);
      item.line.remove();
      draw();
    }
    function take(files) {
      for (const file of files) {
        const item = row(file);
        item.drop.addEventListener("click", () => forget(item));
        item.again.addEventListener("click", () => { item.waiting = true; upload(); });
        items.push(item);
        list.append(item.line);
      }
      draw();
    }
    async function one(item, posted) {
      item.waiting = false;
      item.drop.hidden = item.again.hidden = true;
      item.line.classList.remove("bad");
      const answer = await send(item, posted, limit);
      item.done = !answer.error;
      item.bar.value = item.done ? 1 : 0;
      item.line.classList.toggle("bad", !item.done);
      item.state.textContent = item.state.title = answer.error || "uploaded";
      item.drop.hidden = item.again.hidden = item.done;
      if (answer.video_id) added([answer.video_id]);
    }
    /* One after the other; a bad file says why in its line and does not stop the others. */
    async function upload() {
      draw();
      if (sending) return; // the loop below takes it up
      sending = true;
      draw();
      const posted = { title: value("upload-title").value.trim(),
        caption: value("upload-caption").value.trim() };
      for (let item; (item = items.find((each) => each.waiting));) await one(item, posted);
      sending = false;
      setTimeout(() => items.filter((item) => item.done).forEach(forget), 2500);
      if (items.every((item) => item.done)) {
        value("upload-title").value = "";
        value("upload-caption").value = "";
      }
      draw();
    }

    input.addEventListener("change", () => { take(input.files); input.value = ""; });
    start.addEventListener("click", upload);
    for (const name of ["dragover", "dragenter"]) {
      area.addEventListener(name, (event) => { event.preventDefault(); area.classList.add("over"); });
    }
    for (const name of ["dragleave", "drop"]) {
      area.addEventListener(name, () => area.classList.remove("over"));
    }
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      dropped(event.dataTransfer).then(take);
    });
    /* A file that misses the area must not replace the page. */
    for (const name of ["dragover", "drop"]) {
      window.addEventListener(name, (event) => event.preventDefault());
    }
    draw();
  };
})();
