/*
 * The part of DOCA Flow's interface that the shim uses, declared anew for each release from 2.7 to 3.3, so that the
 * shim compiles and runs where the SDK is not. It holds names, types and the order of arguments: what is needed to
 * call, and nothing of NVIDIA's text. Fields that the shim does not touch are left out, so layouts differ from the
 * SDK's: a program is compiled for the one or the other.
 *
 * What the shim relies on must not be what the same hand has guessed. So each declaration says where it was seen:
 *
 *	[27]	a public doca_flow.h of 2.7.0085
 *	[29]	NVIDIA's samples of 2.9.0072, by the call alone
 *	[30]	the interface's pages of 3.0.0058 (stolyarchuk/doca-docs), in full; signatures.c holds the declarations of
 *		that release against a second copy of them
 *	[33]	a public doca_flow.h with the names of 3.3, in full
 *	[sA-B]	calls in NVIDIA's samples (NVIDIA-DOCA/doca-samples) of the releases from A to B, of 2.10, 3.0, 3.1, 3.2 and
 *		3.3
 *	[ovs]	calls in OVS-DOCA, lib/netdev-doca.c
 *	[?]	not seen in this release: taken to be as in the next that was
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

enum doca_flow_l3_type { DOCA_FLOW_L3_TYPE_NONE, DOCA_FLOW_L3_TYPE_IP4, DOCA_FLOW_L3_TYPE_IP6 }; /* [27], [30], [33] */
enum doca_flow_l4_type_ext { /* [27], [30], [33] */
	DOCA_FLOW_L4_TYPE_EXT_NONE,
	DOCA_FLOW_L4_TYPE_EXT_TCP,
	DOCA_FLOW_L4_TYPE_EXT_UDP,
	DOCA_FLOW_L4_TYPE_EXT_ICMP,
	DOCA_FLOW_L4_TYPE_EXT_ICMP6,
	DOCA_FLOW_L4_TYPE_EXT_TRANSPORT,
};
enum doca_flow_l3_meta { DOCA_FLOW_L3_META_NONE, DOCA_FLOW_L3_META_IPV4, DOCA_FLOW_L3_META_IPV6 };
	/* [27], [30], [33] */
enum doca_flow_l4_meta { /* [27], [30], [33] */
	DOCA_FLOW_L4_META_NONE,
	DOCA_FLOW_L4_META_TCP,
	DOCA_FLOW_L4_META_UDP,
	DOCA_FLOW_L4_META_ICMP,
	DOCA_FLOW_L4_META_ESP,
};
enum doca_flow_resource_type { /* [27], [30], [33] */
	DOCA_FLOW_RESOURCE_TYPE_NONE,
	DOCA_FLOW_RESOURCE_TYPE_SHARED,
	DOCA_FLOW_RESOURCE_TYPE_NON_SHARED,
};
enum doca_flow_fwd_type { /* [27], [30], [33] */
	DOCA_FLOW_FWD_NONE,
	DOCA_FLOW_FWD_RSS,
	DOCA_FLOW_FWD_PORT,
	DOCA_FLOW_FWD_PIPE,
	DOCA_FLOW_FWD_DROP,
	DOCA_FLOW_FWD_TARGET,
};
enum doca_flow_pipe_type { DOCA_FLOW_PIPE_BASIC, DOCA_FLOW_PIPE_CONTROL }; /* [27], [30], [33] */
enum doca_flow_target_type { DOCA_FLOW_TARGET_KERNEL }; /* [27], [30] */
enum doca_flow_entry_status { /* [27], [30], [33] */
	DOCA_FLOW_ENTRY_STATUS_IN_PROCESS,
	DOCA_FLOW_ENTRY_STATUS_SUCCESS,
	DOCA_FLOW_ENTRY_STATUS_ERROR,
};
enum doca_flow_entry_op { /* [27], [30], [33] */
	DOCA_FLOW_ENTRY_OP_ADD,
	DOCA_FLOW_ENTRY_OP_DEL,
	DOCA_FLOW_ENTRY_OP_UPD,
	DOCA_FLOW_ENTRY_OP_AGED,
};

#if STANDIN_RELEASE >= 303
enum doca_flow_entry_flags { DOCA_FLOW_ENTRY_FLAGS_NO_WAIT = 1, DOCA_FLOW_ENTRY_FLAGS_WAIT_FOR_BATCH = 2 };
	/* [33], with these values */
#else
enum doca_flow_flags_type { DOCA_FLOW_NO_WAIT = 0, DOCA_FLOW_WAIT_FOR_BATCH = 1 }; /* [27], [30], with these values */
#endif

struct doca_flow_header_ip4 { /* [27], [s210-303]: these fields */
	doca_be32_t src_ip, dst_ip;
	uint8_t next_proto;
};
struct doca_flow_header_ip6 { /* [27], [s210-303]: these fields */
	doca_be32_t src_ip[4], dst_ip[4];
	uint8_t next_proto;
};
struct doca_flow_header_l4_port { /* [27], [s210-303]: these fields */
	doca_be16_t src_port, dst_port;
};
struct doca_flow_header_udp { /* [27], [s210-303]: these fields */
	struct doca_flow_header_l4_port l4_port;
};
struct doca_flow_header_tcp { /* [27], [s210-303]: these fields */
	struct doca_flow_header_l4_port l4_port;
	uint8_t data_offset, flags;
};
struct doca_flow_header_format { /* [27], [33]: these fields */
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
	uint16_t port_id; /* [33], [s300-303] */
#else
	uint32_t port_meta; /* [27], [s210-210] */
#endif
	enum doca_flow_l3_meta outer_l3_type;
	enum doca_flow_l4_meta outer_l4_type;
};
struct doca_flow_match { /* [27], [30], [33]: these fields */
	struct doca_flow_parser_meta parser_meta;
	struct doca_flow_header_format outer;
};
struct doca_flow_actions {
	uint8_t unused;
};
struct doca_flow_fwd { /* [27], [30]: these fields */
	enum doca_flow_fwd_type type;
	union {
		uint16_t port_id;
		struct doca_flow_pipe *next_pipe;
		struct doca_flow_target *target;
	};
};
struct doca_flow_monitor { /* [27], [30]: these fields */
	enum doca_flow_resource_type counter_type;
	uint32_t aging_sec;
};

#if STANDIN_RELEASE >= 209
struct doca_flow_resource_query { /* [29], [s210-303]: these fields */
	union {
		struct {
			uint64_t total_bytes, total_pkts;
		} counter;
	};
};
#else
struct doca_flow_query { /* [27] */
	uint64_t total_bytes, total_pkts;
};
#endif

typedef void (*doca_flow_entry_process_cb)(struct doca_flow_pipe_entry *, uint16_t queue, enum doca_flow_entry_status,
					   enum doca_flow_entry_op, void *user_ctx); /* [27], [30], [33] */

/* The whole library. */
doca_error_t doca_flow_cfg_create(struct doca_flow_cfg **); /* [27], [30], [s210-303] */
doca_error_t doca_flow_cfg_destroy(struct doca_flow_cfg *); /* [27], [30], [s210-303] */
doca_error_t doca_flow_cfg_set_pipe_queues(struct doca_flow_cfg *, uint16_t); /* [27], [30], [s210-303] */
doca_error_t doca_flow_cfg_set_nr_counters(struct doca_flow_cfg *, uint32_t); /* [27], [30], [s210-303] */
doca_error_t doca_flow_cfg_set_queue_depth(struct doca_flow_cfg *, uint32_t); /* [27], [30], [s210-303] */
doca_error_t doca_flow_cfg_set_mode_args(struct doca_flow_cfg *, const char *); /* [27], [30], [s210-303] */
doca_error_t doca_flow_cfg_set_cb_entry_process(struct doca_flow_cfg *, doca_flow_entry_process_cb);
	/* [27], [30], [s210-303] */
#if STANDIN_RELEASE <= 301
struct doca_flow_resource_rss_cfg { /* [27], [33]: these fields */
	uint16_t *queues_array;
	int nr_queues;
};
doca_error_t doca_flow_cfg_set_default_rss(struct doca_flow_cfg *, const struct doca_flow_resource_rss_cfg *);
	/* [30], [s210-301] */
#endif
doca_error_t doca_flow_init(struct doca_flow_cfg *); /* [27], [30], [s210-303] */
void doca_flow_destroy(void); /* [27], [30], [s210-303] */

/* Ports. */
doca_error_t doca_flow_port_cfg_create(struct doca_flow_port_cfg **); /* [27], [30], [s210-303] */
doca_error_t doca_flow_port_cfg_destroy(struct doca_flow_port_cfg *); /* [27], [30], [s210-303] */
#if STANDIN_RELEASE >= 300
doca_error_t doca_flow_port_cfg_set_port_id(struct doca_flow_port_cfg *, uint16_t); /* [30], [s300-303] */
#else
doca_error_t doca_flow_port_cfg_set_devargs(struct doca_flow_port_cfg *, const char *); /* [27], [s210-210] */
#endif
#if STANDIN_RELEASE >= 210
doca_error_t doca_flow_port_cfg_set_dev(struct doca_flow_port_cfg *, struct doca_dev *); /* [30], [s210-303] */
doca_error_t doca_flow_port_cfg_set_actions_mem_size(struct doca_flow_port_cfg *, uint32_t); /* [30], [s210-303] */
#else
doca_error_t doca_flow_port_cfg_set_dev(struct doca_flow_port_cfg *, void *); /* [27]; 2.9 [29] */
#endif
#if STANDIN_RELEASE >= 301
doca_error_t doca_flow_port_cfg_set_dev_rep(struct doca_flow_port_cfg *, struct doca_dev_rep *);
	/* [30], [s301-303], [ovs] */
#endif
doca_error_t doca_flow_port_start(const struct doca_flow_port_cfg *, struct doca_flow_port **);
	/* [27], [30], [s210-303] */
doca_error_t doca_flow_port_stop(struct doca_flow_port *); /* [27], [30], [s210-303] */
struct doca_flow_port *doca_flow_port_switch_get(const struct doca_flow_port *); /* [27], [30], [s210-303] */
doca_error_t doca_flow_get_target(enum doca_flow_target_type, struct doca_flow_target **); /* [27], [30], [s210-303] */

/* Pipes. */
doca_error_t doca_flow_pipe_cfg_create(struct doca_flow_pipe_cfg **, struct doca_flow_port *);
	/* [27], [30], [s210-303] */
doca_error_t doca_flow_pipe_cfg_destroy(struct doca_flow_pipe_cfg *); /* [27], [30], [s210-303] */
doca_error_t doca_flow_pipe_cfg_set_name(struct doca_flow_pipe_cfg *, const char *); /* [27], [30], [s210-303] */
doca_error_t doca_flow_pipe_cfg_set_type(struct doca_flow_pipe_cfg *, enum doca_flow_pipe_type);
	/* [27], [30], [s210-303] */
doca_error_t doca_flow_pipe_cfg_set_is_root(struct doca_flow_pipe_cfg *, bool); /* [27], [30], [s210-303] */
doca_error_t doca_flow_pipe_cfg_set_nr_entries(struct doca_flow_pipe_cfg *, uint32_t); /* [27], [30], [s210-303] */
doca_error_t doca_flow_pipe_cfg_set_match(struct doca_flow_pipe_cfg *, const struct doca_flow_match *,
					  const struct doca_flow_match *mask); /* [27], [30], [s210-303] */
doca_error_t doca_flow_pipe_cfg_set_monitor(struct doca_flow_pipe_cfg *, const struct doca_flow_monitor *);
	/* [27], [30], [s210-303] */
doca_error_t doca_flow_pipe_create(const struct doca_flow_pipe_cfg *, const struct doca_flow_fwd *,
				   const struct doca_flow_fwd *miss, struct doca_flow_pipe **); /* [27], [30], [s210-303] */
void doca_flow_pipe_destroy(struct doca_flow_pipe *); /* [27], [30], [s210-303] */

/* Entries. */
#if STANDIN_RELEASE >= 303
doca_error_t doca_flow_pipe_basic_add_entry(uint16_t queue, struct doca_flow_pipe *, const struct doca_flow_match *,
					    uint8_t action_idx, const struct doca_flow_actions *,
					    const struct doca_flow_monitor *, const struct doca_flow_fwd *, uint32_t flags,
					    void *user_ctx, struct doca_flow_pipe_entry **); /* [33], [s303-303] */
doca_error_t doca_flow_pipe_basic_update_entry(uint16_t queue, struct doca_flow_pipe *, uint8_t action_idx,
					       const struct doca_flow_actions *, const struct doca_flow_monitor *,
					       const struct doca_flow_fwd *, uint32_t flags, struct doca_flow_pipe_entry *); /* [33] */
#elif STANDIN_RELEASE >= 302
doca_error_t doca_flow_pipe_add_entry(uint16_t queue, struct doca_flow_pipe *, const struct doca_flow_match *,
				      uint8_t action_idx, const struct doca_flow_actions *, const struct doca_flow_monitor *,
				      const struct doca_flow_fwd *, uint32_t flags, void *user_ctx,
				      struct doca_flow_pipe_entry **); /* [s302-302] */
#else
doca_error_t doca_flow_pipe_add_entry(uint16_t queue, struct doca_flow_pipe *, const struct doca_flow_match *,
				      const struct doca_flow_actions *, const struct doca_flow_monitor *,
				      const struct doca_flow_fwd *, uint32_t flags, void *user_ctx,
				      struct doca_flow_pipe_entry **); /* [27], [30], [s210-301] */
doca_error_t doca_flow_pipe_update_entry(uint16_t queue, struct doca_flow_pipe *, const struct doca_flow_actions *,
					 const struct doca_flow_monitor *, const struct doca_flow_fwd *,
					 enum doca_flow_flags_type, struct doca_flow_pipe_entry *); /* [27], [30]; 2.9, 2.10 and 3.1 [?] */
#endif
#if STANDIN_RELEASE >= 209
doca_error_t doca_flow_pipe_remove_entry(uint16_t queue, uint32_t flags, struct doca_flow_pipe_entry *);
	/* [29], [30], [s210-303] */
doca_error_t doca_flow_resource_query_entry(struct doca_flow_pipe_entry *, struct doca_flow_resource_query *);
	/* [29], [30], [s210-303] */
#else
doca_error_t doca_flow_pipe_rm_entry(uint16_t queue, uint32_t flags, struct doca_flow_pipe_entry *); /* [27] */
doca_error_t doca_flow_query_entry(struct doca_flow_pipe_entry *, struct doca_flow_query *); /* [27] */
#endif
doca_error_t doca_flow_entries_process(struct doca_flow_port *, uint16_t queue, uint64_t timeout_us, uint32_t max);
	/* [27], [30], [s210-303] */
int doca_flow_aging_handle(struct doca_flow_port *, uint16_t queue, uint64_t quota_us, uint64_t max);
	/* [27], [30], [s210-303] */

#endif
