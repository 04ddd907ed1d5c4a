import { dict } from "@/words/words";

/** What new nodes say. */
export const starters = dict({
  en: {
    name: "New workflow", topic: "Topic", persona: "You are thoughtful and brief.", voter: (n: number) => `Voter ${n}`, review: "Is this good as it is?",
    ask: "What should be different?", item: "First item",
  },
  zh: {
    name: "新流程", topic: "主题", persona: "你思考周密，表达简练。", voter: (n: number) => `投票人${n}`, review: "这样可以吗？",
    ask: "需要怎样修改？", item: "第一项",
  },
});

export const words = dict({
  en: {
    title: "Editor", untitled: "Untitled workflow", newOne: "New workflow", notFound: "There is no such workflow", toList: "To the workflows",
    noNodes: "What the server sent has no nodes.", loading: "Loading the workflow…",
    unsaved: "Not saved", saved: (n: number) => `Version ${n}`, neverSaved: "Never saved", olderShown: (n: number) => `This is version ${n}, not the newest. Saving makes it the newest.`,
    restored: (when: string) => `Changes of ${when} that were not saved are here again.`, throwAway: "Throw them away",
    views: "Parts of the editor", add: "Add", outline: "Outline", properties: "Properties", graph: "Graph", nodes: "Nodes",
    run: "Run", save: "Save", saveAs: "Save as a new one…", saveTemplate: "Save as a template…", more: "More", versions: "Versions", compare: "Compare versions",
    download: "Download as YAML", mayNotSave: "Your key may not change workflows.", mayNotRun: "Your key may not start runs.",
    selectAll: "Select all nodes", deleteIt: "Delete what is selected", duplicate: "Duplicate", arrange: "Arrange", arrangeAbout: "Places everything by itself again", fit: "Show everything",
    zoomIn: "Closer", zoomOut: "Farther", keySave: "Save as a version", keyAdd: "Find a node to add", keyRun: "Run", keyConnect: "Connect the selected node",
    canvas: "Graph of the workflow",
    canvasAbout: "Every node and arrow stands in the outline, too, where everything can be done with the keyboard.",
    nodeAbout: "Press Enter to select the node, and the arrow keys to move it when it is selected.",
    find: "Find a kind", noKind: "No kind fits.", palette: "Kinds of nodes",
    addAfter: (name: string) => `Goes after “${name}”.`, addAtLink: "Goes on the selected arrow.", addAtEnd: "Goes before the end.", dragAbout: "Click to add, or drag to a place.",
    gModels: "Models", gPeople: "People", gFlow: "Flow", gData: "Data", gTools: "Tools", gMemory: "Memory",
    nothing: "Nothing is selected", start: "start",
    connectTo: "Connect to…", connect: "Connect", connectTitle: (name: string) => `An arrow from “${name}”`, target: "To", meaning: "Meaning", chooseTarget: "Choose a node",
    noWays: "An end leads nowhere.", insertHere: "Insert here", insertAbout: "Choose a kind at the left; it goes on this arrow.", removeLink: "Remove the arrow",
    arrow: (from: string, to: string) => `Arrow from ${from} to ${to}`, arrows: "Arrows", arrowsOut: "Leads to", arrowsIn: "Comes from", noArrows: "Leads nowhere yet.",
    severalSelected: (n: number) => `${n} nodes are selected`, copyNodes: "Copy", copiedNodes: (n: number) => `Copied: ${n}`,
    wNext: "next", wBody: "each round", wExit: "way out", wDefault: "otherwise", wError: "on an error", wStep: "step", wMember: "for each", wBranch: "branch",
    wCase: (n: number) => `case ${n}`, wRoute: (label: string) => `on “${label}”`,
    problems: "Problems", noProblems: "No problems", checking: "Checking…", unchecked: "Could not be checked", checked: "Checked by the server",
    errors: (n: number) => (n === 1 ? "1 error" : `${n} errors`), warnings: (n: number) => (n === 1 ? "1 warning" : `${n} warnings`), error: "Error", warning: "Warning",
    estimate: "Estimate", estimateAbout: "What a run will probably take", tokens: "tokens", unknownCost: "cost unknown", perNode: "of this node", runs: (n: string) => `${n}×`, noEstimate: "An estimate comes when there are no errors.",
    source: "As text", yaml: "YAML", json: "JSON", textOf: (what: string) => `The workflow as ${what}`, syntax: "The text cannot be read. The graph shows what it was before.",
    notWorkflow: "This is no workflow: it needs an object or a list under “nodes”.", line: (n: number) => `Line ${n}`,
    conflict: "Somebody has saved meanwhile", conflictAbout: (n: number) => `Version ${n} is on the server, and it is not the one that you began with. Left what is there, right what you have.`,
    overwrite: "Save mine as the newest", takeTheirs: "Take theirs", keepEditing: "Go on editing", identical: "Both are the same.",
    savedToast: (n: number) => `Saved as version ${n}.`, createdToast: "Saved.", templateToast: "The template is there.", notSaved: "It was not saved", invalidSave: "The server takes only workflows without errors.",
    newId: "Id of the new workflow", newIdAbout: "1 to 64 letters, digits, “_”, “.” or “-”. Without one the server makes one.", newName: "Name",
    templateId: "Id of the template", category: "Category", categoryAbout: "Where it stands among the templates", templateTitle: "Save as a template",
    leaveTitle: "There are changes that are not saved", leaveAbout: "They can stay as a draft in this browser: they are here again when you come back.", leaveKeep: "Keep as a draft", leaveDrop: "Throw away", leaveStay: "Stay",
    runTitle: "Run this workflow", runAbout: "The run opens live; “Back” in the browser leads here again.", runSaved: (n: number) => `Runs version ${n}, as it is saved.`, runDraft: "Runs what stands here, without saving it.", saveFirst: "Save as a version first",
    start_: "Start", starting: "Starting…", runInvalid: "It can be run when there are no errors.", inputJson: "Input as JSON", noInput: "It asks for no input.", badJson: "This is not valid JSON.", notStarted: "The run was not started",
    back: "Back to the editor", lastRun: "Last run",
    about: "The workflow", idOf: "Id", badId: "1 to 64 letters, digits, “_”, “.” or “-”.", takenId: "Another node has this id.", idKept: "A saved workflow keeps its id; “Save as a new one” gives it another.", kindOf: "Kind of workflow", kindAbout: "Groups workflows in lists: debate, writing, …",
    startNode: "Starts at", group: "Group", input: "Input", inputAbout: "What a run asks for. The form of the start page is made of this.", addField: "Add a field", fieldName: "Name of the field", fieldTitle: "Title", fieldType: "Type", fieldRequired: "Needed", fieldAbout: "Description", fieldDefault: "Default",
    removeField: (name: string) => `Delete field ${name}`, noFields: "It asks for nothing yet.", tText: "Text", tLong: "Long text", tNumber: "Number", tInteger: "Whole number", tBoolean: "Yes or no", tArray: "List", tObject: "Object", tChoice: "Choice", choices: "Choices, one in each line",
    vars: "Variables", varsAbout: "An object that expressions see as vars", breakers: "Breakers", breakersAbout: "A session that behaves as no sensible one does is paused.",
    moreProps: "More", setting: "Waiting, failures, repetition", insertRef: "Insert a reference", insertShort: "Insert…", byDefault: "as the default", notSet: "not set", yes: "yes", no: "no", numberBad: "This is not a number.", json_: "JSON", wrongType: "This is written in another form; here as JSON.", oneInLine: "One in each line",
    chooseAgent: "Choose a stored agent", ownPersona: "none: the persona below", routes: "Where answers lead", addRoute: "Add a route", label: "Label", leadsTo: "leads to", removeRoute: (l: string) => `Remove the route ${l}`,
    cases: "Cases", addCase: "Add a case", caseIf: (n: number) => `Case ${n}: if`, caseTo: (n: number) => `Case ${n} leads to`, removeCase: (n: number) => `Remove case ${n}`, otherwise: "Otherwise to", nowhere: "nowhere", moveUp: "Move up", moveDown: "Move down",
    onErrorFail: "the session fails", onErrorContinue: "go on", onErrorTo: (name: string) => `go to ${name}`, joinAll: "all arrows that may come", joinAny: "the first that comes", joinN: "a number of them",
    addStep: "Add", members: "Members", remove: (name: string) => `Remove ${name}`,
  },
  zh: {
    title: "编辑器", untitled: "未命名流程", newOne: "新流程", notFound: "没有这个流程", toList: "查看全部流程",
    noNodes: "服务器发来的内容中没有节点。", loading: "正在加载流程…",
    unsaved: "未保存", saved: (n: number) => `版本 ${n}`, neverSaved: "从未保存", olderShown: (n: number) => `这是版本 ${n}，不是最新版本。保存后它将成为最新版本。`,
    restored: (when: string) => `已恢复 ${when} 未保存的更改。`, throwAway: "丢弃",
    views: "编辑器的各部分", add: "添加", outline: "大纲", properties: "属性", graph: "图", nodes: "节点",
    run: "运行", save: "保存", saveAs: "另存为新流程…", saveTemplate: "存为模板…", more: "更多", versions: "版本", compare: "比较版本",
    download: "下载 YAML", mayNotSave: "你的密钥无权更改流程。", mayNotRun: "你的密钥无权启动运行。",
    selectAll: "选中全部节点", deleteIt: "删除所选内容", duplicate: "复制一份", arrange: "自动排列", arrangeAbout: "重新自动摆放所有节点", fit: "显示全部",
    zoomIn: "放大", zoomOut: "缩小", keySave: "保存为新版本", keyAdd: "查找要添加的节点", keyRun: "运行", keyConnect: "连接所选节点",
    canvas: "流程图",
    canvasAbout: "所有节点和连线也列在大纲中，那里的一切都可以用键盘完成。",
    nodeAbout: "按回车键选中节点，选中后可用方向键移动。",
    find: "查找节点类型", noKind: "没有符合的类型。", palette: "节点类型",
    addAfter: (name: string) => `将添加到“${name}”之后。`, addAtLink: "将添加到所选连线上。", addAtEnd: "将添加到结束之前。", dragAbout: "点击即可添加，也可以拖到画布上。",
    gModels: "模型", gPeople: "人员", gFlow: "流程控制", gData: "数据", gTools: "工具", gMemory: "记忆",
    nothing: "未选中任何内容", start: "开始",
    connectTo: "连接到…", connect: "连接", connectTitle: (name: string) => `从“${name}”出发的连线`, target: "目标", meaning: "含义", chooseTarget: "选择节点",
    noWays: "结束节点没有去向。", insertHere: "在此插入", insertAbout: "在左侧选择类型，它会放到这条连线上。", removeLink: "删除连线",
    arrow: (from: string, to: string) => `从 ${from} 到 ${to} 的连线`, arrows: "连线", arrowsOut: "去向", arrowsIn: "来源", noArrows: "还没有去向。",
    severalSelected: (n: number) => `已选中 ${n} 个节点`, copyNodes: "拷贝", copiedNodes: (n: number) => `已拷贝 ${n} 个`,
    wNext: "下一步", wBody: "每一轮", wExit: "出口", wDefault: "其他情况", wError: "出错时", wStep: "步骤", wMember: "对每一项", wBranch: "分支",
    wCase: (n: number) => `情况 ${n}`, wRoute: (label: string) => `答复“${label}”时`,
    problems: "问题", noProblems: "没有问题", checking: "正在检查…", unchecked: "无法检查", checked: "已由服务器检查",
    errors: (n: number) => `${n} 个错误`, warnings: (n: number) => `${n} 个警告`, error: "错误", warning: "警告",
    estimate: "估算", estimateAbout: "一次运行大约需要的资源", tokens: "token", unknownCost: "费用未知", perNode: "此节点", runs: (n: string) => `${n} 次`, noEstimate: "没有错误时会给出估算。",
    source: "文本", yaml: "YAML", json: "JSON", textOf: (what: string) => `${what} 形式的流程`, syntax: "文本无法解析。图中显示的是之前的内容。",
    notWorkflow: "这不是流程：“nodes”下需要有对象或列表。", line: (n: number) => `第 ${n} 行`,
    conflict: "有人在此期间保存过", conflictAbout: (n: number) => `服务器上已有版本 ${n}，它不是你开始编辑的版本。左侧是服务器上的内容，右侧是你的内容。`,
    overwrite: "将我的保存为最新版本", takeTheirs: "采用对方的", keepEditing: "继续编辑", identical: "两者相同。",
    savedToast: (n: number) => `已保存为版本 ${n}。`, createdToast: "已保存。", templateToast: "模板已创建。", notSaved: "未能保存", invalidSave: "服务器只接受没有错误的流程。",
    newId: "新流程的标识", newIdAbout: "1 到 64 个字母、数字、“_”、“.”或“-”。留空则由服务器生成。", newName: "名称",
    templateId: "模板的标识", category: "类别", categoryAbout: "它在模板列表中的位置", templateTitle: "存为模板",
    leaveTitle: "有未保存的更改", leaveAbout: "可以作为草稿保留在此浏览器中，回来时会自动恢复。", leaveKeep: "保留草稿", leaveDrop: "丢弃", leaveStay: "留在此页",
    runTitle: "运行此流程", runAbout: "运行会实时打开，用浏览器的“后退”可以回到这里。", runSaved: (n: number) => `运行已保存的版本 ${n}。`, runDraft: "运行当前内容，不保存。", saveFirst: "先保存为新版本",
    start_: "启动", starting: "正在启动…", runInvalid: "没有错误时才能运行。", inputJson: "JSON 形式的输入", noInput: "它不需要输入。", badJson: "这不是有效的 JSON。", notStarted: "未能启动运行",
    back: "返回编辑器", lastRun: "上次运行",
    about: "流程", idOf: "标识", badId: "1 到 64 个字母、数字、“_”、“.”或“-”。", takenId: "另一个节点已使用此标识。", idKept: "已保存的流程保持原标识；“另存为新流程”可以换一个。", kindOf: "流程类别", kindAbout: "用于在列表中分组：辩论、写作等",
    startNode: "起点", group: "小组", input: "输入", inputAbout: "运行时需要填写的内容。开始页的表单由此生成。", addField: "添加字段", fieldName: "字段名", fieldTitle: "标题", fieldType: "类型", fieldRequired: "必填", fieldAbout: "说明", fieldDefault: "默认值",
    removeField: (name: string) => `删除字段 ${name}`, noFields: "还不需要任何输入。", tText: "文本", tLong: "长文本", tNumber: "数字", tInteger: "整数", tBoolean: "是或否", tArray: "列表", tObject: "对象", tChoice: "选项", choices: "选项，每行一个",
    vars: "变量", varsAbout: "表达式中以 vars 访问的对象", breakers: "熔断", breakersAbout: "行为异常的会话会被暂停。",
    moreProps: "更多", setting: "等待、失败与重试", insertRef: "插入引用", insertShort: "插入…", byDefault: "默认", notSet: "未设置", yes: "是", no: "否", numberBad: "这不是数字。", json_: "JSON", wrongType: "此处的写法不同，以 JSON 显示。", oneInLine: "每行一个",
    chooseAgent: "选择已存储的智能体", ownPersona: "无：使用下面的人设", routes: "答复的去向", addRoute: "添加去向", label: "答复", leadsTo: "去向", removeRoute: (l: string) => `删除去向 ${l}`,
    cases: "情况", addCase: "添加情况", caseIf: (n: number) => `情况 ${n}：如果`, caseTo: (n: number) => `情况 ${n} 的去向`, removeCase: (n: number) => `删除情况 ${n}`, otherwise: "其他情况去向", nowhere: "无", moveUp: "上移", moveDown: "下移",
    onErrorFail: "会话失败", onErrorContinue: "继续", onErrorTo: (name: string) => `转到 ${name}`, joinAll: "所有可能到达的连线", joinAny: "最先到达的一条", joinN: "指定的数目",
    addStep: "添加", members: "成员", remove: (name: string) => `移除 ${name}`,
  },
});

export const groupWord = { models: "gModels", people: "gPeople", flow: "gFlow", data: "gData", tools: "gTools", memory: "gMemory" } as const;

/** One line about each kind, in the palette. */
export const kindAbout = dict<Record<string, string>>({
  en: {
    llm: "One answer of a model", agent: "Somebody with a persona speaks", vote: "Several voters decide", fact_check: "Claims are searched for and judged",
    human_review: "A person approves, changes or rejects", user_input: "Asks a person in the session", stage: "A checklist that people work off", signal: "Waits for something from outside",
    switch: "Goes where a condition holds", parallel: "Branches side by side", loop: "Rounds, until it is good", map: "The same for each item of a list", sequence: "Steps with progress",
    subworkflow: "Another workflow as a child", wait: "Until a time, or for a while", start: "Where it begins", end: "What the session gives",
    transform: "Computes values", script: "Lua in a sandbox", tool: "Calls a tool", task: "Work for a program outside", memory_retrieval: "What the group remembers", context_synth: "Sums up what was said",
  },
  zh: {
    llm: "模型的一次回答", agent: "由具有人设的角色发言", vote: "多个投票人表决", fact_check: "检索并判断各项论断",
    human_review: "由人批准、修改或退回", user_input: "向会话中的人提问", stage: "由人完成的清单", signal: "等待外部信号",
    switch: "按条件选择去向", parallel: "多个分支并行", loop: "多轮进行，直到满意", map: "对列表的每一项执行", sequence: "依次执行的步骤",
    subworkflow: "以另一流程作为子流程", wait: "等到某时或等一段时间", start: "从这里开始", end: "会话给出的结果",
    transform: "计算数值", script: "沙箱中的 Lua", tool: "调用工具", task: "交给外部程序的工作", memory_retrieval: "小组记住的内容", context_synth: "总结已说的内容",
  },
});

export type EditorWords = (typeof words)["en"];

/** What an arrow means, in words. */
export function wayWord(w: EditorWords, way: string, fromType?: string): string {
  const [kind = "", detail = ""] = way.split(/:(.*)/s);
  if (kind === "route") return w.wRoute(detail);
  if (kind === "case") return w.wCase(Number(detail) + 1);
  if (kind === "next") return fromType === "parallel" ? w.wBranch : w.wNext;
  return { body: w.wBody, exit: w.wExit, default: w.wDefault, error: w.wError, step: w.wStep, member: w.wMember }[kind] ?? way;
}
