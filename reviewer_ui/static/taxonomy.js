/* Admin, taxonomy: the edits are a document here, kept in this browser until they are published.
   The server draws the form from it, escaped there, and says what is wrong; texts from it are put
   in as text only. */
(() => {
  const V = window.CoefVQ;
  const CHECK_MS = 350;
  const NEW = {
    task: () => ({ id: "", name: "", policies: [NEW.policy()] }),
    policy: () => ({ id: "", name: "", question: "", guideline: "", severity: 3,
      modalities: [], reasons: [] }),
    action: () => ({ id: "", name: "", violation: true, default: false, notice: "" }),
  };
  const slug = (name) => name.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "_")
    .replace(/^[^a-z]+|_+$/g, "").slice(0, 32);
  const at = (document_, path) => path.split(".").reduce((part, key) => part[key], document_);
  const say = (path) => document.getElementById(`tx-${path}-say`);

  V.sections.taxonomy = ({ page, group, server, show }) => {
    let now = null; // what is in force: { version, document, who }
    let base = ""; // the version that the edits began on
    let turn = 0;
    let timer = 0;
    let asked = 0;
    const key = () => `coefvq-taxonomy-draft:${now.who}`;
    const form = () => group.querySelector("#taxonomy-form .tax");
    const state = (words) => { group.querySelector("#taxonomy-state").textContent = words; };

    /* One row's fields, as a document has them. */
    function fields(row) {
      const made = {};
      for (const field of row.querySelectorAll("[data-field]")) {
        if (field.closest("[data-kind]") !== row) continue;
        const { dataset: { field: name }, type, value, checked } = field;
        if (name === "modalities") {
          made[name] = [...(made[name] || []), ...(checked ? [value] : [])];
        } else if (name === "severity") made[name] = Number(value);
        else if (name === "violation") made[name] = Boolean(value);
        else if (name === "reasons") {
          made[name] = value.split("\n").map((line) => line.trim()).filter(Boolean);
        } else made[name] = type === "radio" ? checked : value;
      }
      return made;
    }
    function collect() {
      const rows = (kind, where) => [...where.querySelectorAll(`[data-kind=${kind}]`)];
      return {
        tasks: rows("task", form()).map((task) => ({
          ...fields(task), policies: rows("policy", task).map(fields) })),
        actions: rows("action", form()).map(fields),
      };
    }

    function keep(document_) {
      V.store.set(key(), JSON.stringify({ base, document: document_ }));
    }
    function kept() {
      try {
        const found = JSON.parse(V.store.get(key()) || "null");
        return found && found.document && typeof found.base === "string" ? found : null;
      } catch { return null; }
    }
    const forget = () => V.store.set(key(), "null");

    /* Rows stay open when the form is drawn anew; they are known by their ids. */
    const nameOf = (row) => {
      const own = [...row.querySelectorAll("[data-field=id]")]
        .find((field) => field.closest("[data-kind]") === row);
      return `${row.dataset.kind}:${own.value || row.dataset.path}`;
    };
    const details = () => [...group.querySelectorAll("details[data-kind]")];

    async function draw(document_, { call = "taxonomy_draw", focus = "", extra = {} } = {}) {
      const open = form() ? details().filter((row) => row.open).map(nameOf) : [];
      asked += 1;
      turn += 1;
      const answer = await V.call(server, call, { document: document_, base, turn, ...extra });
      if (!answer) return null;
      show(answer);
      if (answer.error) return null;
      now = answer.now;
      for (const row of details()) row.open = open.includes(nameOf(row));
      mark(answer);
      reach(focus);
      return answer;
    }
    function reach(path) {
      const row = path && group.querySelector(`[data-path="${path}"][data-kind]`);
      if (!row) return;
      for (let each = row; each; each = each.parentElement.closest("details")) each.open = true;
      if (row.dataset.kind === "task") for (const each of row.querySelectorAll("details")) each.open = true;
      row.querySelector("input:not([readonly])")?.focus();
    }

    /* What is wrong, beside each field, and how many on each folded row. */
    function mark({ problems, changes, notices }) {
      for (const line of group.querySelectorAll(".tax-say")) line.textContent = "";
      for (const field of group.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
      for (const { where, words } of problems) {
        const line = say(where);
        if (line) line.textContent = line.textContent ? `${line.textContent} ${words}` : words;
        document.getElementById(`tx-${where}`)?.setAttribute("aria-invalid", "true");
      }
      for (const row of details()) {
        const number = problems.filter((each) => each.where.startsWith(`${row.dataset.path}.`)).length;
        row.querySelector(".tax-bad").textContent = number ? `${number} to fix` : "";
      }
      for (const quote of group.querySelectorAll(".tax-preview q")) quote.textContent = "";
      for (const [path, words] of Object.entries(notices)) {
        const quote = document.getElementById(`tx-${path}.notice-preview`);
        if (quote) quote.textContent = words;
      }
      const edited = changes > 0 || problems.length > 0;
      const fix = problems.length ? `, ${problems.length} to fix` : "";
      state(edited ? `${changes} ${changes === 1 ? "change" : "changes"}${fix}, not published` : "");
      for (const name of ["discard", "review"]) {
        group.querySelector(`.tax-bar [data-do=taxonomy-${name}]`).hidden = !edited;
      }
      if (!edited) forget();
    }

    async function check() {
      const mine = ++asked;
      let answer = null;
      try { answer = await server.taxonomy_check({ document: collect() }); } catch (error) {
        console.warn("taxonomy_check", error);
      }
      if (mine !== asked) return;
      if (!answer) state("The server did not answer; your edits are kept in this browser.");
      else if (answer.error) state(answer.error);
      else mark(answer);
    }
    function edited() {
      keep(collect());
      clearTimeout(timer);
      timer = setTimeout(check, CHECK_MS);
    }

    group.addEventListener("input", (event) => {
      const field = event.target;
      const row = field.closest("[data-kind]");
      if (!row || !form()) return;
      if (field.dataset.field === "name") {
        const id = row.querySelector("[data-field=id]");
        if (!id.dataset.fixed && !id.dataset.typed) id.value = slug(field.value);
        row.querySelector("summary b, h3 span").textContent = field.value || `new ${row.dataset.kind}`;
      }
      if (field.dataset.field === "id") field.dataset.typed = "1";
      edited();
    });
    group.addEventListener("change", (event) => {
      if (event.target.dataset.field === "violation") redraw((made) => made);
    });

    /* A row comes, goes or moves: on the document, which is then drawn anew. */
    function redraw(act, focus = "") {
      clearTimeout(timer);
      const made = act(collect());
      keep(made);
      return draw(made, { focus });
    }
    function add(kind, path) {
      redraw((made) => { at(made, path).push(NEW[kind]()); return made; },
        `${path}.${at(collect(), path).length}`);
    }
    function move(row, how) {
      const [path, index] = [row.dataset.path.replace(/\.\d+$/, ""), Number(row.dataset.path.match(/\d+$/)[0])];
      const to = how === "up" ? index - 1 : index + 1;
      redraw((made) => {
        const rows = at(made, path);
        const [one] = rows.splice(index, 1);
        if (how !== "remove") rows.splice(to, 0, one);
        return made;
      }).then(() => {
        const next = how === "remove" ? Math.max(0, index - 1) : to;
        const moved = group.querySelector(`[data-path="${path}.${next}"][data-kind]`);
        const button = moved?.querySelector(`:scope > * [data-move=${how}]:not(:disabled)`);
        if (how !== "remove" && button?.offsetParent) button.focus();
        else moved?.querySelector("summary, input")?.focus();
      });
    }
    async function discard() {
      V.closePanel();
      forget();
      base = now.version;
      await draw(now.document);
      base = now.version;
    }
    async function rebase() {
      const answer = await draw(collect(), { call: "taxonomy_rebase", extra: { rebase: true } });
      if (!answer) return;
      base = answer.now.version;
      keep(answer.document);
    }
    async function review(args) {
      const answer = await V.call(server, "taxonomy_review", args);
      if (answer) show(answer);
    }

    page.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button || !now) return;
      const { do: doing, add: kind, path, move: how, back } = button.dataset;
      if (doing === "taxonomy-discard") discard();
      if (doing === "taxonomy-rebase") rebase();
      if (!group.contains(button)) return;
      if (doing === "taxonomy-review") review({ document: collect() });
      if (back) review({ number: Number(back) });
      if (kind) add(kind, path);
      if (how) move(button.closest("[data-kind]"), how);
    });
    page.addEventListener("submit", async (event) => {
      const sent = event.target;
      if (!sent.matches(".tax-publish")) return;
      event.preventDefault();
      const { number } = sent.dataset;
      const what = number ? { number: Number(number) } : { document: collect() };
      const button = sent.querySelector("[type=submit]");
      button.disabled = true;
      const args = { ...what, base: number ? now.version : base, note: sent.elements.note.value };
      const answer = await V.call(server, "taxonomy_publish", args);
      button.disabled = false;
      if (!answer) return;
      if (answer.error) { sent.querySelector("[data-say]").textContent = answer.error; return; }
      show(answer);
      if (!answer.now) return;
      const mine = form() && kept();
      if (number && mine) { now = answer.now; await draw(mine.document); return; }
      forget();
      now = answer.now;
      base = now.version;
      draw(now.document);
    });

    return {
      async load() {
        const answer = await V.call(server, "taxonomy", {});
        if (!answer) return;
        show(answer);
        if (answer.error) return;
        now = answer.now;
        const found = kept();
        base = found ? found.base : now.version;
        const drawn = await draw(found ? found.document : now.document);
        if (!drawn && found) { forget(); base = now.version; await draw(now.document); }
      },
    };
  };
})();
