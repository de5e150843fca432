/** Tables and counters as text. The printing itself lies with the scenario layer, where pfc_list needs it too. */
export {
  alignColumns,
  formatTable,
  formatTables,
  keyName,
  reasonText,
  type TableListing,
} from "../scenario/table-print.ts";
