/*
 * The part of DOCA Flow's interface that the shim uses, declared anew for each release from 2.7 to 3.3, so that the shim
 * compiles and runs where the SDK is not. It holds names, types and the order of arguments: what is needed to call, and
 * nothing of NVIDIA's text. Fields that the shim does not touch are left out, so layouts differ from the SDK's: a program
 * is compiled for the one or the other.
 */
#ifndef STANDIN_DOCA_FLOW_H
#define STANDIN_DOCA_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doca_dev.h"

typedef uint16_t doca_be16_t;
typedef uint32_t doca_be32_t;

struct doca_flow_cfg;
struct doca_flow_port;
struct doca_flow_port_cfg;
struct doca_flow_pipe;
struct doca_flow_pipe_cfg;
struct doca_flow_pipe_entry;
struct doca_flow_target;

enum doca_flow_l3_type { DOCA_FLOW_L3_TYPE_NONE, DOCA_FLOW_L3_TYPE_IP4, DOCA_FLOW_L3_TYPE_IP6 };
enum doca_flow_l4_type_ext {
	DOCA_FLOW_L4_TYPE_EXT_NONE,
	DOCA_FLOW_L4_TYPE_EXT_TCP,
	DOCA_FLOW_L4_TYPE_EXT_UDP,
	DOCA_FLOW_L4_TYPE_EXT_ICMP,
	DOCA_FLOW_L4_TYPE_EXT_ICMP6,
	DOCA_FLOW_L4_TYPE_EXT_TRANSPORT,
};
enum doca_flow_l3_meta { DOCA_FLOW_L3_META_NONE, DOCA_FLOW_L3_META_IPV4, DOCA_FLOW_L3_META_IPV6 };
enum doca_flow_l4_meta {
	DOCA_FLOW_L4_META_NONE,
	DOCA_FLOW_L4_META_TCP,
	DOCA_FLOW_L4_META_UDP,
	DOCA_FLOW_L4_META_ICMP,
	DOCA_FLOW_L4_META_ESP,
};
enum doca_flow_resource_type {
	DOCA_FLOW_RESOURCE_TYPE_NONE,
	DOCA_FLOW_RESOURCE_TYPE_SHARED,
	DOCA_FLOW_RESOURCE_TYPE_NON_SHARED,
};
enum doca_flow_fwd_type {
	DOCA_FLOW_FWD_NONE,
	DOCA_FLOW_FWD_RSS,
	DOCA_FLOW_FWD_PORT,
	DOCA_FLOW_FWD_PIPE,
	DOCA_FLOW_FWD_DROP,
	DOCA_FLOW_FWD_TARGET,
};
enum doca_flow_pipe_type { DOCA_FLOW_PIPE_BASIC, DOCA_FLOW_PIPE_CONTROL };
enum doca_flow_target_type { DOCA_FLOW_TARGET_KERNEL };
enum doca_flow_entry_status {
	DOCA_FLOW_ENTRY_STATUS_IN_PROCESS,
	DOCA_FLOW_ENTRY_STATUS_SUCCESS,
	DOCA_FLOW_ENTRY_STATUS_ERROR,
};
enum doca_flow_entry_op {
	DOCA_FLOW_ENTRY_OP_ADD,
	DOCA_FLOW_ENTRY_OP_DEL,
	DOCA_FLOW_ENTRY_OP_UPD,
	DOCA_FLOW_ENTRY_OP_AGED,
};

#if STANDIN_RELEASE >= 303
enum doca_flow_entry_flags { DOCA_FLOW_ENTRY_FLAGS_NO_WAIT = 1, DOCA_FLOW_ENTRY_FLAGS_WAIT_FOR_BATCH = 2 };
#else
enum doca_flow_flags_type { DOCA_FLOW_NO_WAIT = 0, DOCA_FLOW_WAIT_FOR_BATCH = 1 };
#endif

struct doca_flow_header_ip4 {
	doca_be32_t src_ip, dst_ip;
	uint8_t next_proto;
};
struct doca_flow_header_ip6 {
	doca_be32_t src_ip[4], dst_ip[4];
	uint8_t next_proto;
};
struct doca_flow_header_l4_port {
	doca_be16_t src_port, dst_port;
};
struct doca_flow_header_udp {
	struct doca_flow_header_l4_port l4_port;
};
struct doca_flow_header_tcp {
	struct doca_flow_header_l4_port l4_port;
	uint8_t data_offset, flags;
};
struct doca_flow_header_format {
	enum doca_flow_l3_type l3_type;
	union {
		struct doca_flow_header_ip4 ip4;
		struct doca_flow_header_ip6 ip6;
	};
	enum doca_flow_l4_type_ext l4_type_ext;
	union {
		struct doca_flow_header_udp udp;
		struct doca_flow_header_tcp tcp;
		struct doca_flow_header_l4_port transport;
	};
};
struct doca_flow_parser_meta {
#if STANDIN_RELEASE >= 300
	uint16_t port_id;
#else
	uint32_t port_meta;
#endif
	enum doca_flow_l3_meta outer_l3_type;
	enum doca_flow_l4_meta outer_l4_type;
};
struct doca_flow_match {
	struct doca_flow_parser_meta parser_meta;
	struct doca_flow_header_format outer;
};
struct doca_flow_actions {
	uint8_t unused;
};
struct doca_flow_fwd {
	enum doca_flow_fwd_type type;
	union {
		uint16_t port_id;
		struct doca_flow_pipe *next_pipe;
		struct doca_flow_target *target;
	};
};
struct doca_flow_monitor {
	enum doca_flow_resource_type counter_type;
	uint32_t aging_sec;
};

#if STANDIN_RELEASE >= 209
struct doca_flow_resource_query {
	union {
		struct {
			uint64_t total_bytes, total_pkts;
		} counter;
	};
};
#else
struct doca_flow_query {
	uint64_t total_bytes, total_pkts;
};
#endif

typedef void (*doca_flow_entry_process_cb)(struct doca_flow_pipe_entry *, uint16_t queue, enum doca_flow_entry_status,
					   enum doca_flow_entry_op, void *user_ctx);

/* The whole library. */
doca_error_t doca_flow_cfg_create(struct doca_flow_cfg **);
doca_error_t doca_flow_cfg_destroy(struct doca_flow_cfg *);
doca_error_t doca_flow_cfg_set_pipe_queues(struct doca_flow_cfg *, uint16_t);
doca_error_t doca_flow_cfg_set_nr_counters(struct doca_flow_cfg *, uint32_t);
doca_error_t doca_flow_cfg_set_queue_depth(struct doca_flow_cfg *, uint32_t);
doca_error_t doca_flow_cfg_set_mode_args(struct doca_flow_cfg *, const char *);
doca_error_t doca_flow_cfg_set_cb_entry_process(struct doca_flow_cfg *, doca_flow_entry_process_cb);
#if STANDIN_RELEASE <= 301
struct doca_flow_resource_rss_cfg {
	uint16_t *queues_array;
	int nr_queues;
};
doca_error_t doca_flow_cfg_set_default_rss(struct doca_flow_cfg *, const struct doca_flow_resource_rss_cfg *);
#endif
doca_error_t doca_flow_init(struct doca_flow_cfg *);
void doca_flow_destroy(void);

/* Ports. */
doca_error_t doca_flow_port_cfg_create(struct doca_flow_port_cfg **);
doca_error_t doca_flow_port_cfg_destroy(struct doca_flow_port_cfg *);
#if STANDIN_RELEASE >= 300
doca_error_t doca_flow_port_cfg_set_port_id(struct doca_flow_port_cfg *, uint16_t);
#else
doca_error_t doca_flow_port_cfg_set_devargs(struct doca_flow_port_cfg *, const char *);
#endif
#if STANDIN_RELEASE >= 210
doca_error_t doca_flow_port_cfg_set_dev(struct doca_flow_port_cfg *, struct doca_dev *);
doca_error_t doca_flow_port_cfg_set_actions_mem_size(struct doca_flow_port_cfg *, uint32_t);
#else
doca_error_t doca_flow_port_cfg_set_dev(struct doca_flow_port_cfg *, void *);
#endif
#if STANDIN_RELEASE >= 301
doca_error_t doca_flow_port_cfg_set_dev_rep(struct doca_flow_port_cfg *, struct doca_dev_rep *);
#endif
doca_error_t doca_flow_port_start(const struct doca_flow_port_cfg *, struct doca_flow_port **);
doca_error_t doca_flow_port_stop(struct doca_flow_port *);
struct doca_flow_port *doca_flow_port_switch_get(const struct doca_flow_port *);
doca_error_t doca_flow_get_target(enum doca_flow_target_type, struct doca_flow_target **);

/* Pipes. */
doca_error_t doca_flow_pipe_cfg_create(struct doca_flow_pipe_cfg **, struct doca_flow_port *);
doca_error_t doca_flow_pipe_cfg_destroy(struct doca_flow_pipe_cfg *);
doca_error_t doca_flow_pipe_cfg_set_name(struct doca_flow_pipe_cfg *, const char *);
doca_error_t doca_flow_pipe_cfg_set_type(struct doca_flow_pipe_cfg *, enum doca_flow_pipe_type);
doca_error_t doca_flow_pipe_cfg_set_is_root(struct doca_flow_pipe_cfg *, bool);
doca_error_t doca_flow_pipe_cfg_set_nr_entries(struct doca_flow_pipe_cfg *, uint32_t);
doca_error_t doca_flow_pipe_cfg_set_match(struct doca_flow_pipe_cfg *, const struct doca_flow_match *,
					  const struct doca_flow_match *mask);
doca_error_t doca_flow_pipe_cfg_set_monitor(struct doca_flow_pipe_cfg *, const struct doca_flow_monitor *);
doca_error_t doca_flow_pipe_create(const struct doca_flow_pipe_cfg *, const struct doca_flow_fwd *,
				   const struct doca_flow_fwd *miss, struct doca_flow_pipe **);
void doca_flow_pipe_destroy(struct doca_flow_pipe *);

/* Entries. */
#if STANDIN_RELEASE >= 303
doca_error_t doca_flow_pipe_basic_add_entry(uint16_t queue, struct doca_flow_pipe *, const struct doca_flow_match *,
					    uint8_t action_idx, const struct doca_flow_actions *,
					    const struct doca_flow_monitor *, const struct doca_flow_fwd *, uint32_t flags,
					    void *user_ctx, struct doca_flow_pipe_entry **);
doca_error_t doca_flow_pipe_basic_update_entry(uint16_t queue, struct doca_flow_pipe *, uint8_t action_idx,
					       const struct doca_flow_actions *, const struct doca_flow_monitor *,
					       const struct doca_flow_fwd *, uint32_t flags, struct doca_flow_pipe_entry *);
#elif STANDIN_RELEASE >= 302
doca_error_t doca_flow_pipe_add_entry(uint16_t queue, struct doca_flow_pipe *, const struct doca_flow_match *,
				      uint8_t action_idx, const struct doca_flow_actions *, const struct doca_flow_monitor *,
				      const struct doca_flow_fwd *, uint32_t flags, void *user_ctx,
				      struct doca_flow_pipe_entry **);
#else
doca_error_t doca_flow_pipe_add_entry(uint16_t queue, struct doca_flow_pipe *, const struct doca_flow_match *,
				      const struct doca_flow_actions *, const struct doca_flow_monitor *,
				      const struct doca_flow_fwd *, uint32_t flags, void *user_ctx,
				      struct doca_flow_pipe_entry **);
doca_error_t doca_flow_pipe_update_entry(uint16_t queue, struct doca_flow_pipe *, const struct doca_flow_actions *,
					 const struct doca_flow_monitor *, const struct doca_flow_fwd *,
					 enum doca_flow_flags_type, struct doca_flow_pipe_entry *);
#endif
#if STANDIN_RELEASE >= 209
doca_error_t doca_flow_pipe_remove_entry(uint16_t queue, uint32_t flags, struct doca_flow_pipe_entry *);
doca_error_t doca_flow_resource_query_entry(struct doca_flow_pipe_entry *, struct doca_flow_resource_query *);
#else
doca_error_t doca_flow_pipe_rm_entry(uint16_t queue, uint32_t flags, struct doca_flow_pipe_entry *);
doca_error_t doca_flow_query_entry(struct doca_flow_pipe_entry *, struct doca_flow_query *);
#endif
doca_error_t doca_flow_entries_process(struct doca_flow_port *, uint16_t queue, uint64_t timeout_us, uint32_t max);
int doca_flow_aging_handle(struct doca_flow_port *, uint16_t queue, uint64_t quota_us, uint64_t max);

#endif
