/** An INI inventory of many hosts, and the 1-based lines of master-1.example.com in it. */
export function largeInventory(hosts: number): { text: string; gone: number[] } {
  const masters = [0, 1, 2].map((n) => `master-${n}.example.com`);
  const nodes = Array.from({ length: hosts - masters.length }, (_, n) => {
    const address = `10.${Math.floor(n / 62500)}.${Math.floor(n / 250) % 250}.${n % 250}`;
    const zone = `openshift_node_labels="{'region': 'primary', 'zone': 'z${n % 3}'}"`;
    return `node-${n}.example.com ansible_host=${address} openshift_node_group_name='node-config-compute' ${zone}`;
  });
  const lines = [
    "[OSEv3:children]\nmasters\netcd\nnodes\n\n[OSEv3:vars]\nansible_user=root\nopenshift_release=v3.11\n\n[masters]",
    ...masters,
    "\n[etcd]",
    ...masters.map((name, n) => `${name} etcd_ip=10.255.0.${n}`),
    "\n[nodes]",
    ...masters.map((name) => `${name} openshift_node_group_name='node-config-master'`),
    ...nodes,
    "",
  ];
  const text = lines.join("\n");
  const gone = text.split("\n").flatMap((line, at) => (line.startsWith("master-1.example.com") ? [at + 1] : []));
  return { text, gone };
}

/** The same as YAML. */
export function largeYamlInventory(hosts: number): string {
  const masters = [0, 1, 2].map((n) => `master-${n}.example.com:`);
  const nodes = Array.from({ length: hosts - masters.length }, (_, n) => [
    `node-${n}.example.com:`,
    `  ansible_host: 10.${Math.floor(n / 62500)}.${Math.floor(n / 250) % 250}.${n % 250}`,
    "  openshift_node_group_name: node-config-compute",
    `  openshift_node_labels: { region: primary, zone: z${n % 3} }`,
  ]).flat();
  const group = (name: string, lines: readonly string[]): string =>
    `        ${name}:\n          hosts:\n${lines.map((line) => `            ${line}\n`).join("")}`;
  const top = "all:\n  children:\n    OSEv3:\n      vars: { ansible_user: root }\n      children:\n";
  return top + group("masters", masters) + group("etcd", masters) + group("nodes", [...masters, ...nodes]);
}
