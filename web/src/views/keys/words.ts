import { dict } from "@/words/words";

export const keyWords = dict({
  en: {
    title: "Keys", about: "Who may come in, and what they may do. From the first key on everybody has to show one.",
    adminOnly: "Keys are an admin's to manage. The key in use has another role.",
    create: "New key", emptyTitle: "No keys yet", emptyAbout: "Without a key everybody who reaches this server may do everything. The first key that you make closes it: keep that one, you need it to come back in.",
    first: "This is the first key: the server asks for one from then on, and this page will, too. Make it an admin's, and keep it.",
    name: "Name", nameAbout: "For people: who or what uses it.", nameNeeded: "A key needs a name.", role: "Role", workspace: "Workspace", workspaceAbout: "Your own without one.",
    roles: { viewer: "Viewer", operator: "Operator", editor: "Editor", admin: "Admin" },
    may: {
      viewer: "reads and watches: sessions, messages, files, usage, workflows, memories, reviews, metrics",
      operator: "also runs stored workflows, pauses, resumes, cancels, answers reviews, forks and retries",
      editor: "also changes workflows, agents, groups, templates, memories and schedules, and deletes sessions",
      admin: "also manages keys, webhooks and the audit log",
    },
    expires: "Ends", never: "Never", days: (n: number) => (n === 1 ? "In a day" : `In ${n} days`), custom: "At a time of your choice", at: "Time", past: "This time has passed.",
    made: "The new key", once: "This is the only time that it is shown. Copy it to where it is used.", kept: "I have kept it", useIt: "Use it in this tab",
    key: "Key", status: "State", active: "Active", expired: "Ended", revoked: "Revoked", lastUsed: "Last used", notUsed: "not yet", created: "Made", yours: "this one is in use here",
    revoke: "Revoke", revokeTitle: (name: string) => `Revoke “${name}”?`, revokeAbout: "Nobody comes in with it any more, at once; what it holds open is closed. This cannot be taken back.",
    revokeOwn: "This is the key that you are using: the page will ask you for another one.", showAll: "Show those that ended or were revoked", rolesTitle: "What roles may do",
  },
  zh: {
    title: "密钥", about: "谁可以进入，可以做什么。创建第一个密钥后，所有人都必须出示密钥。",
    adminOnly: "密钥由管理员管理。当前密钥的角色不足。",
    create: "新建密钥", emptyTitle: "还没有密钥", emptyAbout: "没有密钥时，任何能访问此服务器的人都可以做任何事。创建第一个密钥后即关闭开放访问：请妥善保存，你需要它才能再次进入。",
    first: "这是第一个密钥：此后服务器和本页面都会要求出示密钥。请创建为管理员密钥并妥善保存。",
    name: "名称", nameAbout: "供人识别：谁或什么在使用它。", nameNeeded: "密钥需要名称。", role: "角色", workspace: "工作区", workspaceAbout: "留空则为你自己的工作区。",
    roles: { viewer: "查看者", operator: "操作者", editor: "编辑者", admin: "管理员" },
    may: {
      viewer: "读取与观看：会话、消息、文件、用量、流程、记忆、审阅、指标",
      operator: "还可运行已保存的流程，暂停、继续、取消，答复审阅，分叉与重试",
      editor: "还可更改流程、智能体、小组、模板、记忆和定时，并删除会话",
      admin: "还可管理密钥、Webhook 和审计日志",
    },
    expires: "到期", never: "永不", days: (n: number) => `${n} 天后`, custom: "自选时间", at: "时间", past: "这个时间已经过去。",
    made: "新密钥", once: "仅显示这一次。请复制到使用它的地方。", kept: "我已保存", useIt: "在此标签页中使用",
    key: "密钥", status: "状态", active: "有效", expired: "已到期", revoked: "已撤销", lastUsed: "最近使用", notUsed: "尚未使用", created: "创建", yours: "当前正在使用",
    revoke: "撤销", revokeTitle: (name: string) => `撤销“${name}”？`, revokeAbout: "立即生效，任何人都不能再用它进入；它保持的连接会被关闭。此操作无法撤回。",
    revokeOwn: "这是你正在使用的密钥：页面会要求你提供另一个。", showAll: "显示已到期或已撤销的", rolesTitle: "各角色的权限",
  },
});
