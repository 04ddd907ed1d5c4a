import { count, plural } from "@/ui/format";
import { dict } from "@/words/words";

export const importWords = dict({
  en: {
    openFile: "Open a workflow file…", import: "Import…", title: (name: string) => `Import ${name}`, importing: (name: string) => `Storing ${name}…`,
    notStored: "This workflow was not stored:", added: (name: string) => `“${name}” is stored.`, unchanged: (name: string, n: number) => `“${name}” stands here already, as version ${n}.`,
    exists: (id: string) => `There is a workflow “${id}” here already.`, existsAbout: "Store the file as its next version (the older ones stay), or give it an id of its own.",
    update: "Store as a new version", otherId: "Another id", storeAs: "Store under this id", repair: "Repair and store", fixable: (n: number) => `${plural(n, "problem")} can be repaired:`,
    fixed: "This was repaired:", warnings: "Worth a look:", open: "Start it", edit: "Open in the editor", staged: "A staged file: it was turned into a workflow, and stays with it.",
    dropHere: "Drop a workflow file (YAML or JSON) to store it",
  },
  zh: {
    openFile: "打开流程文件…", import: "导入…", title: (name: string) => `导入 ${name}`, importing: (name: string) => `正在保存 ${name}…`,
    notStored: "此流程未能保存：", added: (name: string) => `“${name}”已保存。`, unchanged: (name: string, n: number) => `“${name}”已存在，版本为 ${n}。`,
    exists: (id: string) => `已有流程“${id}”。`, existsAbout: "将文件保存为它的下一个版本（旧版本保留），或者给它另一个 id。",
    update: "保存为新版本", otherId: "另一个 id", storeAs: "用此 id 保存", repair: "修复并保存", fixable: (n: number) => `可以修复 ${n} 个问题：`,
    fixed: "已修复：", warnings: "值得留意：", open: "启动", edit: "在编辑器中打开", staged: "这是分阶段文件：已转换为流程，原文件随之保留。",
    dropHere: "将流程文件（YAML 或 JSON）拖到此处即可保存",
  },
});

export const generateWords = dict({
  en: {
    title: "A workflow from a sentence", label: "What should it do?", about: "A model writes the workflow, and the server checks it. Nothing is stored until you save it in the editor.",
    example: "Three reviewers read a text at once, a judge weighs what they say, and I have the last word.",
    generate: "Write it", again: "Write it again", stop: "Stop", writing: (s: number) => `The model is writing… ${s} s`, writingAbout: "It has three attempts to give something valid; that may take a minute.",
    failed: "Nothing came of it", lastErrors: "What was wrong with the last attempt:", similar: "Templates that come close:", use: "Open in the editor",
    made: (n: number) => `A workflow of ${plural(n, "node")}:`, viewer: "Your key may not do that: it needs the role “editor”.", preview: "What was written",
  },
  zh: {
    title: "用一句话生成流程", label: "它应该做什么？", about: "由模型编写流程，服务器进行检查。在编辑器中保存之前，不会存储任何内容。",
    example: "三位审阅者同时阅读一篇文章，一位裁判权衡他们的意见，最后由我决定。",
    generate: "生成", again: "重新生成", stop: "停止", writing: (s: number) => `模型正在编写… ${s} 秒`, writingAbout: "它有三次机会给出有效的结果，可能需要一分钟。",
    failed: "未能生成", lastErrors: "最后一次尝试的问题：", similar: "相近的模板：", use: "在编辑器中打开",
    made: (n: number) => `一个包含 ${n} 个节点的流程：`, viewer: "你的密钥无权执行此操作：需要“editor”角色。", preview: "生成的内容",
  },
});

export const libraryWords = dict({
  en: {
    title: "Workflows", about: "What can be run. A change makes a new version; runs keep the version they began with.", create: "New workflow", fromSentence: "From a sentence…",
    search: "Search by name or id", type: "Type", allTypes: "All types", name: "Name", version: "Version", updated: "Updated", lastRun: "Last run", never: "never", versions: (n: number) => plural(n, "version"),
    run: "Start", edit: "Edit", showVersions: "Versions", exportYaml: "Export as YAML", exportJson: "Export as JSON", exportStaged: "Export the staged file", asTemplate: "Save as template…", remove: "Delete…", more: (name: string) => `More for ${name}`,
    emptyTitle: "No workflows yet", empty: "A workflow says who speaks when: models, agents, people, tools. Begin with a template, draw one in the editor, import a file, or describe what you want in a sentence.", fromTemplate: "Look at the templates",
    nothing: "No workflow fits.", clear: "Show all", removeTitle: (name: string) => `Delete “${name}”?`, removeAbout: (n: number) => `All ${plural(n, "version")} will be gone. Sessions that run go on with the version they began with, and sessions that ended stay.`, removed: (name: string) => `“${name}” is deleted.`,
    scheduled: "Schedules that start it will fail from then on.", stale: "Somebody has changed it since this list was read. It is read again now: look at it, then delete it.",
    exportFailed: "The export failed:", viewer: "Your key may look and export. To change workflows it needs the role “editor”.", shown: (n: number, all: number) => `${count(n)} of ${count(all)}`,
    templateTitle: (name: string) => `Save “${name}” as a template`, templateAbout: "A template is a workflow to begin from. It is a copy: later versions of the workflow do not change it.", templateName: "Name", templateDescription: "Description", category: "Category", categoryAbout: "One word by which it is found: debate, writing, …", templateSaved: (name: string) => `“${name}” is a template now.`, saveTemplate: "Save as template", needName: "A name is needed.", id: "Id", idAbout: "Letters, digits, “_”, “.” and “-”. Without one it is made.",
  },
  zh: {
    title: "流程", about: "可以运行的内容。每次更改产生新版本；运行保持其开始时的版本。", create: "新建流程", fromSentence: "用一句话生成…",
    search: "按名称或 id 搜索", type: "类型", allTypes: "所有类型", name: "名称", version: "版本", updated: "更新于", lastRun: "最近运行", never: "从未", versions: (n: number) => `${n} 个版本`,
    run: "启动", edit: "编辑", showVersions: "版本", exportYaml: "导出为 YAML", exportJson: "导出为 JSON", exportStaged: "导出分阶段文件", asTemplate: "存为模板…", remove: "删除…", more: (name: string) => `${name} 的更多操作`,
    emptyTitle: "还没有流程", empty: "流程决定谁在何时发言：模型、智能体、人、工具。可以从模板开始，在编辑器中绘制，导入文件，或用一句话描述你想要的流程。", fromTemplate: "查看模板",
    nothing: "没有符合条件的流程。", clear: "显示全部", removeTitle: (name: string) => `删除“${name}”？`, removeAbout: (n: number) => `全部 ${n} 个版本都将消失。正在运行的会话会以其开始时的版本继续，已结束的会话保留。`, removed: (name: string) => `“${name}”已删除。`,
    scheduled: "此后，用它启动的定时任务将会失败。", stale: "读取列表之后它已被他人更改。列表正在重新读取：请查看后再删除。",
    exportFailed: "导出失败：", viewer: "你的密钥可以查看和导出。更改流程需要“editor”角色。", shown: (n: number, all: number) => `${count(n)} / ${count(all)}`,
    templateTitle: (name: string) => `将“${name}”存为模板`, templateAbout: "模板是可以从它开始的流程。它是一份副本：流程以后的版本不会改变它。", templateName: "名称", templateDescription: "说明", category: "类别", categoryAbout: "便于查找的一个词：debate、writing……", templateSaved: (name: string) => `“${name}”已成为模板。`, saveTemplate: "存为模板", needName: "需要名称。", id: "Id", idAbout: "字母、数字、“_”、“.”和“-”。留空则自动生成。",
  },
});
