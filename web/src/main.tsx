import "@xyflow/react/dist/base.css";
import "./style/base.css";
import "./style/page.css";
import "./style/session.css";
import { createRoot } from "react-dom/client";
import { App } from "./app";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no root element");
createRoot(root).render(<App />);
