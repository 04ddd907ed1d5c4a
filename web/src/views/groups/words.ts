import { dict } from "@/words/words";

export const groupWords = dict({
  en: {
    title: "Groups", about: "Agents that belong together: what they are told in common, and what they remember from one session to the next.",
    create: "New group", newTitle: "A new group", search: "Search groups", emptyTitle: "No groups yet",
    emptyAbout: "Sessions that run in a group share its memory and its prompt. Make one here and name it when you start a run (group_id).",
    id: "Id", idAbout: "How sessions and memories name it. It cannot be changed later; without one, the server makes one.", nameNeeded: "A group needs a name.",
    icon: "Icon", category: "Category", prompt: "Common prompt", promptAbout: "Every agent of a session in this group reads it, after its own persona.",
    agents: "Agents", agentsAbout: "In the order in which they speak where nothing else says so.",
    promote: "What sessions learn", auto: "is remembered when the session completes", manual: "waits in quarantine until somebody releases it",
    promoteAbout: "Either way nothing that a session wrote is found by others before.",
    systemLocked: "This group came with the server and cannot be changed. Duplicate it to have your own.", duplicate: "Duplicate", copyOf: (name: string) => `${name} (copy)`,
    deleteAbout: "Its sessions and their logs stay.", detachAbout: "Deleted anyway, its sessions go on and its memories stay; they can be found under its id.",
    sessions: "Its sessions", memories: "Its memories", usage: "Used in the last 30 days", calls: "Model calls", tokens: "Tokens (in / out)", cost: "Cost", unpriced: (n: string) => `${n} calls without a price`,
    noCalls: "No model was called for it yet.",
  },
  zh: {
    title: "小组", about: "同属一组的智能体：共同的提示，以及在各次会话之间保留的记忆。",
    create: "新建小组", newTitle: "新小组", search: "搜索小组", emptyTitle: "还没有小组",
    emptyAbout: "在同一小组中运行的会话共享其记忆和提示。在此新建，启动运行时以 group_id 引用。",
    id: "标识", idAbout: "会话和记忆用它来引用。以后不能更改；留空则由服务器生成。", nameNeeded: "小组需要名称。",
    icon: "图标", category: "类别", prompt: "共同提示", promptAbout: "此小组会话中的每个智能体都会在自己的人设之后读到它。",
    agents: "智能体", agentsAbout: "在没有其他规定时，按此顺序发言。",
    promote: "会话学到的内容", auto: "会话完成后即被记住", manual: "留在隔离区，等人放行",
    promoteAbout: "无论哪种方式，在此之前其他会话都找不到它写下的内容。",
    systemLocked: "此小组为服务器自带，不能更改。可复制一份作为自己的。", duplicate: "复制一份", copyOf: (name: string) => `${name}（副本）`,
    deleteAbout: "它的会话和日志会保留。", detachAbout: "仍然删除时，它的会话继续运行，记忆也会保留，可按其标识找到。",
    sessions: "所属会话", memories: "所属记忆", usage: "最近 30 天用量", calls: "模型调用", tokens: "Token（输入 / 输出）", cost: "费用", unpriced: (n: string) => `${n} 次调用没有价格`,
    noCalls: "尚未为它调用过模型。",
  },
});
