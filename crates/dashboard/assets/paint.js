// Runs before the first paint: the chosen theme, so that nothing flashes, and the mark that scripts run at all.
{
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("echo.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage is off: the system's choice holds.
  }
}
