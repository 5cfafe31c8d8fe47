/* Whoever came over a link from another site, which the browser follows without the cookie, and is
   signed in already goes on to the page they asked for. The server checked that it is ours. */
document.addEventListener("DOMContentLoaded", async () => {
  const form = document.querySelector("form[data-signed-in-goes-to]");
  if (!form) return;
  try {
    if ((await fetch("/who")).ok) location.replace(form.dataset.signedInGoesTo);
  } catch { /* the form works without it */ }
});
