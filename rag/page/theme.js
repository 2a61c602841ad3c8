// Light or dark: as the system has it, or as the switch was set here. Runs before the first paint.
{
	const NEXT = { system: "light", light: "dark", dark: "system" };
	const { dataset } = document.documentElement;
	dataset.theme = localStorage.getItem("theme") ?? "system";
	addEventListener("DOMContentLoaded", () => {
		const button = document.getElementById("theme");
		const name = () => {
			button.title = `Colours: ${dataset.theme}`;
			button.ariaLabel = `${button.title}. Change`;
		};
		button.addEventListener("click", () => {
			dataset.theme = NEXT[dataset.theme] ?? "light";
			localStorage.setItem("theme", dataset.theme);
			name();
		});
		name();
	});
}
