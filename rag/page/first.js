// Runs before the first paint. Light or dark: as the system has it, or as the switch was set here.
{
	const NEXT = { system: "light", light: "dark", dark: "system" };
	const { dataset } = document.documentElement;
	const button = document.getElementById("theme");
	function set(theme) {
		dataset.theme = theme;
		button.title = `Colours: ${theme}`;
		button.ariaLabel = `${button.title}. Change`;
	}
	set(localStorage.getItem("theme") ?? "system");
	button.addEventListener("click", () => {
		set(NEXT[dataset.theme] ?? "light");
		localStorage.setItem("theme", dataset.theme);
	});
	// What the page can do is loaded once it is seen: no request competes with the first paint.
	const load = () => import("/page/main.js");
	if (document.hidden) load();
	else requestAnimationFrame(() => setTimeout(load));
}
