// Before the first paint: what somebody chose here. Without a choice the system's own counts.
try {
  const chosen = localStorage.getItem('holt.theme');
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing follows the system.
}
