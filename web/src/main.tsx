import "./app/trusted";
import "./style/base.css";
import "./style/kit.css";
import "./style/page.css";
import { createRoot } from "react-dom/client";
import { App } from "@/app/app";
import { applyTheme } from "@/ui/theme";
import { lang, setLang } from "@/words/words";

applyTheme();
setLang(lang());
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no root element");
createRoot(root).render(<App />);
