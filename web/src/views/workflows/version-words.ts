import { plural } from "@/ui/format";
import { dict } from "@/words/words";

export const versionWords = dict({
  en: {
    title: (name: string) => `Versions of ${name}`, about: "Each change is kept. Choose two to see what is different.", library: "All workflows", list: "Versions",
    version: (n: number) => `Version ${n}`, newest: "newest", from: "Before", to: "After", pickFrom: (n: number) => `Version ${n} as before`, pickTo: (n: number) => `Version ${n} as after`,
    run: "Start this version", restore: "Make it the newest…", edit: "Edit", single: "There is one version so far. When the workflow is changed, the next one stands here beside it, with what is different.",
    restoreTitle: (n: number) => `Make version ${n} the newest?`, restoreAbout: (next: number) => `Its content is stored again, as version ${next}. Nothing is lost: the versions between stay.`, restoreDo: "Make it the newest", restored: (n: number) => `Stored as version ${n}.`,
    stale: "Somebody has stored another version meanwhile. The list is read again: look at it, then decide.", gone: (id: string) => `There is no workflow “${id}” here.`, goneAbout: "It was deleted, or the address is wrong.",
    compare: "Comparison", changes: "What changed", text: "As text", graphs: "Graphs", same: "These two versions do the same: nothing that counts is different.",
    added: (n: number) => `${plural(n, "node")} added`, removed: (n: number) => `${plural(n, "node")} removed`, changed: (n: number) => `${plural(n, "node")} changed`, arrows: "Arrows", settings: "The workflow itself",
    arrowAdded: "new:", arrowRemoved: "gone:", was: "was", is: "is now", unset: "not set",
  },
  zh: {
    title: (name: string) => `${name} 的版本`, about: "每次更改都会保留。选择两个版本查看差异。", library: "全部流程", list: "版本",
    version: (n: number) => `版本 ${n}`, newest: "最新", from: "之前", to: "之后", pickFrom: (n: number) => `以版本 ${n} 为之前`, pickTo: (n: number) => `以版本 ${n} 为之后`,
    run: "启动此版本", restore: "设为最新…", edit: "编辑", single: "目前只有一个版本。流程被更改后，下一个版本会与差异一起显示在这里。",
    restoreTitle: (n: number) => `将版本 ${n} 设为最新？`, restoreAbout: (next: number) => `其内容会再次保存为版本 ${next}。不会丢失任何内容：中间的版本都会保留。`, restoreDo: "设为最新", restored: (n: number) => `已保存为版本 ${n}。`,
    stale: "其他人刚刚保存了另一个版本。列表正在重新读取：请查看后再决定。", gone: (id: string) => `这里没有流程“${id}”。`, goneAbout: "它已被删除，或者地址有误。",
    compare: "比较", changes: "变更内容", text: "文本", graphs: "流程图", same: "这两个版本的作用相同：没有实质差异。",
    added: (n: number) => `新增 ${n} 个节点`, removed: (n: number) => `删除 ${n} 个节点`, changed: (n: number) => `更改 ${n} 个节点`, arrows: "箭头", settings: "流程本身",
    arrowAdded: "新增：", arrowRemoved: "删除：", was: "原为", is: "现为", unset: "未设置",
  },
});
