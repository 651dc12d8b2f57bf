/*
 * The declarations of 3.0.0058 a second time, copied by a program from the interface's pages, by which the stand-in's
 * headers are checked: a call that the shim makes otherwise does not compile there. doca_flow_port_cfg_set_dev_rep is
 * in the pages and in no program of that release, so the shim does not use it there.
 */
#if STANDIN_RELEASE == 300
#define SAME(name, type)                                                    \
	_Static_assert(__builtin_types_compatible_p(__typeof__(name), type), \
		#name " is declared otherwise in 3.0.0058")

/* group__DOCA__DEV.html */
SAME(doca_dev_close, doca_error_t (struct doca_dev *));
SAME(doca_dev_open, doca_error_t (struct doca_devinfo *, struct doca_dev **));
SAME(doca_dev_rep_as_devinfo, struct doca_devinfo_rep *(struct doca_dev_rep *));
SAME(doca_dev_rep_close, doca_error_t (struct doca_dev_rep *));
SAME(doca_dev_rep_open, doca_error_t (struct doca_devinfo_rep *, struct doca_dev_rep **));
SAME(doca_devinfo_create_list, doca_error_t (struct doca_devinfo ***, uint32_t *));
SAME(doca_devinfo_destroy_list, doca_error_t (struct doca_devinfo **));
SAME(doca_devinfo_is_equal_pci_addr, doca_error_t (const struct doca_devinfo *, const char *, uint8_t *));
SAME(doca_devinfo_rep_create_list, doca_error_t (struct doca_dev *, int, struct doca_devinfo_rep ***, uint32_t *));
SAME(doca_devinfo_rep_destroy_list, doca_error_t (struct doca_devinfo_rep **));
SAME(doca_devinfo_rep_get_iface_name, doca_error_t (const struct doca_devinfo_rep *, char *, uint32_t));

/* group__DOCA__DPDK__BRIDGE.html */
SAME(doca_dpdk_open_dev_rep_by_port_id, doca_error_t (uint16_t, struct doca_dev *, struct doca_dev_rep **));
SAME(doca_dpdk_port_probe, doca_error_t (struct doca_dev *, const char *));

/* group__DOCA__ERROR.html */
SAME(doca_error_get_descr, const char *(doca_error_t));
SAME(doca_error_get_name, const char *(doca_error_t));

/* group__DOCA__FLOW.html */
SAME(doca_flow_aging_handle, int (struct doca_flow_port *, uint16_t, uint64_t, uint64_t));
SAME(doca_flow_cfg_create, doca_error_t (struct doca_flow_cfg **));
SAME(doca_flow_cfg_destroy, doca_error_t (struct doca_flow_cfg *));
SAME(doca_flow_cfg_set_cb_entry_process, doca_error_t (struct doca_flow_cfg *, doca_flow_entry_process_cb));
SAME(doca_flow_cfg_set_default_rss, doca_error_t (struct doca_flow_cfg *, const struct doca_flow_resource_rss_cfg *));
SAME(doca_flow_cfg_set_mode_args, doca_error_t (struct doca_flow_cfg *, const char *));
SAME(doca_flow_cfg_set_nr_counters, doca_error_t (struct doca_flow_cfg *, uint32_t));
SAME(doca_flow_cfg_set_pipe_queues, doca_error_t (struct doca_flow_cfg *, uint16_t));
SAME(doca_flow_cfg_set_queue_depth, doca_error_t (struct doca_flow_cfg *, uint32_t));
SAME(doca_flow_destroy, void (void));
SAME(doca_flow_entries_process, doca_error_t (struct doca_flow_port *, uint16_t, uint64_t, uint32_t));
SAME(doca_flow_get_target, doca_error_t (enum doca_flow_target_type, struct doca_flow_target **));
SAME(doca_flow_init, doca_error_t (struct doca_flow_cfg *));
SAME(doca_flow_pipe_add_entry, doca_error_t (uint16_t, struct doca_flow_pipe *, const struct doca_flow_match *,
     const struct doca_flow_actions *, const struct doca_flow_monitor *, const struct doca_flow_fwd *, uint32_t, void *,
     struct doca_flow_pipe_entry **));
SAME(doca_flow_pipe_cfg_create, doca_error_t (struct doca_flow_pipe_cfg **, struct doca_flow_port *));
SAME(doca_flow_pipe_cfg_destroy, doca_error_t (struct doca_flow_pipe_cfg *));
SAME(doca_flow_pipe_cfg_set_is_root, doca_error_t (struct doca_flow_pipe_cfg *, bool));
SAME(doca_flow_pipe_cfg_set_match, doca_error_t (struct doca_flow_pipe_cfg *, const struct doca_flow_match *,
     const struct doca_flow_match *));
SAME(doca_flow_pipe_cfg_set_monitor, doca_error_t (struct doca_flow_pipe_cfg *, const struct doca_flow_monitor *));
SAME(doca_flow_pipe_cfg_set_name, doca_error_t (struct doca_flow_pipe_cfg *, const char *));
SAME(doca_flow_pipe_cfg_set_nr_entries, doca_error_t (struct doca_flow_pipe_cfg *, uint32_t));
SAME(doca_flow_pipe_cfg_set_type, doca_error_t (struct doca_flow_pipe_cfg *, enum doca_flow_pipe_type));
SAME(doca_flow_pipe_create, doca_error_t (const struct doca_flow_pipe_cfg *, const struct doca_flow_fwd *,
     const struct doca_flow_fwd *, struct doca_flow_pipe **));
SAME(doca_flow_pipe_destroy, void (struct doca_flow_pipe *));
SAME(doca_flow_pipe_remove_entry, doca_error_t (uint16_t, uint32_t, struct doca_flow_pipe_entry *));
SAME(doca_flow_pipe_update_entry, doca_error_t (uint16_t, struct doca_flow_pipe *, const struct doca_flow_actions *,
     const struct doca_flow_monitor *, const struct doca_flow_fwd *, const enum doca_flow_flags_type,
     struct doca_flow_pipe_entry *));
SAME(doca_flow_port_cfg_create, doca_error_t (struct doca_flow_port_cfg **));
SAME(doca_flow_port_cfg_destroy, doca_error_t (struct doca_flow_port_cfg *));
SAME(doca_flow_port_cfg_set_actions_mem_size, doca_error_t (struct doca_flow_port_cfg *, uint32_t));
SAME(doca_flow_port_cfg_set_dev, doca_error_t (struct doca_flow_port_cfg *, struct doca_dev *));
SAME(doca_flow_port_cfg_set_port_id, doca_error_t (struct doca_flow_port_cfg *, uint16_t));
SAME(doca_flow_port_start, doca_error_t (const struct doca_flow_port_cfg *, struct doca_flow_port **));
SAME(doca_flow_port_stop, doca_error_t (struct doca_flow_port *));
SAME(doca_flow_port_switch_get, struct doca_flow_port *(const struct doca_flow_port *));
SAME(doca_flow_resource_query_entry, doca_error_t (struct doca_flow_pipe_entry *, struct doca_flow_resource_query *));

/* group__DOCA__VERSION.html */
SAME(doca_version_runtime, const char *(void));

/* Values that doca__flow_8h_source.html and group__DOCA__DEV.html give. */
_Static_assert(DOCA_FLOW_NO_WAIT == 0, "DOCA_FLOW_NO_WAIT");
_Static_assert(DOCA_FLOW_WAIT_FOR_BATCH == 1, "DOCA_FLOW_WAIT_FOR_BATCH");
_Static_assert(DOCA_FLOW_FWD_NONE == 0, "DOCA_FLOW_FWD_NONE");
_Static_assert(DOCA_FLOW_FWD_RSS == 1, "DOCA_FLOW_FWD_RSS");
_Static_assert(DOCA_FLOW_FWD_PORT == 2, "DOCA_FLOW_FWD_PORT");
_Static_assert(DOCA_FLOW_FWD_PIPE == 3, "DOCA_FLOW_FWD_PIPE");
_Static_assert(DOCA_FLOW_FWD_DROP == 4, "DOCA_FLOW_FWD_DROP");
_Static_assert(DOCA_FLOW_FWD_TARGET == 5, "DOCA_FLOW_FWD_TARGET");
_Static_assert(DOCA_DEVINFO_PCI_ADDR_SIZE == 13, "DOCA_DEVINFO_PCI_ADDR_SIZE");
_Static_assert(DOCA_DEVINFO_IFACE_NAME_SIZE == 256, "DOCA_DEVINFO_IFACE_NAME_SIZE");
#undef SAME
#endif
