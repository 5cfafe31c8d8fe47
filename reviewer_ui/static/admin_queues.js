/* Admin, queues: what waits is counted again while nobody types. */
(() => {
  window.CoefVQ.sections.queues = ({ ask }) => {
    let first = true;
    const load = async () => {
      const answer = await ask("list_queues", { first });
      if (answer) first = false;
    };
    return { load, every: 30000 };
  };
})();
