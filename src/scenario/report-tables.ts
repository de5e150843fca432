/** A lab's tables as text, for reports. */
import { TABLE_NAMES } from "../tables/schema.ts";
import type { Lab } from "./lab.ts";
import type { TableReport } from "./report-types.ts";
import { fieldNames, tableRows } from "./table-rows.ts";

/** Rows of one table in a report; a table of many sessions would drown everything else. */
const MAX_ROWS = 200;

/** All tables with rows, in the order of the topology's hosts and of the schema. */
export function finalTables(lab: Lab): TableReport[] {
  return lab.topology.hosts.flatMap((host) => hostTables(lab, host.name));
}

/** The tables of one host that have rows. */
function hostTables(lab: Lab, host: string): TableReport[] {
  const stores = lab.tables(host);
  if (!stores) return [];
  return TABLE_NAMES.flatMap((table) => {
    const rows = tableRows(stores[table]);
    if (rows.length === 0) return [];
    const columns = fieldNames(table);
    const cells = rows.slice(0, MAX_ROWS).map((row) => [row.key, ...columns.map((c) => row.fields[c])]);
    return [{ host, table, columns: ["key", ...columns], rows: cells, total: rows.length }];
  });
}
