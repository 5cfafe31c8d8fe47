/* Admin, originals: the banks. */
(() => {
  window.CoefVQ.sections.originals = ({ ask }) => ({ load: () => ask("list_banks", {}) });
})();
