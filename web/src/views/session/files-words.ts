import { count } from "@/ui/format";
import { dict } from "@/words/words";

export const filesWords = dict({
  en: {
    empty: "This session has no files", emptyAbout: "Steps that write files (the tool write_file, scripts, exports) leave them here, with every version they had.",
    replay: "Files are those of now, not of the moment that the replay stands at.",
    list: "Files", version: (n: number) => `Version ${n}`, versions: "Versions", deleted: "deleted", back: "All files", content: "Content", changes: "Changes",
    view: "What is shown of the file", since: (n: number) => `Changes since version ${n}`, compare: "Compare with", download: "Download", rendered: "As a page", source: "As text",
    binary: "These bytes are not text; they can be downloaded.", size: (bytes: string) => bytes, by: (who: string) => `by ${who}`, rolledBack: (n: number) => `as in version ${n}`,
    first: "There is one version only; nothing to compare with.", gone: "This version says that the file was deleted.", more: (n: number) => `Show ${count(n)} more`,
  },
  zh: {
    empty: "此会话没有文件", emptyAbout: "会写文件的步骤（write_file 工具、脚本、导出）会把文件留在这里，并保留每个版本。",
    replay: "文件是现在的状态，而不是回放所处时刻的状态。",
    list: "文件", version: (n: number) => `版本 ${n}`, versions: "版本", deleted: "已删除", back: "全部文件", content: "内容", changes: "更改",
    view: "显示文件的哪一部分", since: (n: number) => `自版本 ${n} 以来的更改`, compare: "对比", download: "下载", rendered: "渲染", source: "源文本",
    binary: "这些字节不是文本，可以下载。", size: (bytes: string) => bytes, by: (who: string) => `作者：${who}`, rolledBack: (n: number) => `同版本 ${n}`,
    first: "只有一个版本，没有可对比的内容。", gone: "此版本表示文件已被删除。", more: (n: number) => `再显示 ${count(n)} 个`,
  },
});
