/*
 * The results of calls: names of [30], by the marks of doca_flow.h. The numbers are the stand-in's own, and the shim
 * compares names only.
 */
#ifndef STANDIN_DOCA_ERROR_H
#define STANDIN_DOCA_ERROR_H

typedef enum doca_error {
	DOCA_SUCCESS,
	DOCA_ERROR_UNKNOWN,
	DOCA_ERROR_NOT_PERMITTED,
	DOCA_ERROR_IN_USE,
	DOCA_ERROR_NOT_SUPPORTED,
	DOCA_ERROR_AGAIN,
	DOCA_ERROR_INVALID_VALUE,
	DOCA_ERROR_NO_MEMORY,
	DOCA_ERROR_INITIALIZATION,
	DOCA_ERROR_TIME_OUT,
	DOCA_ERROR_SHUTDOWN,
	DOCA_ERROR_BAD_STATE,
	DOCA_ERROR_NOT_FOUND,
	DOCA_ERROR_FULL,
	DOCA_ERROR_DRIVER,
	DOCA_ERROR_ALREADY_EXIST,
} doca_error_t;

const char *doca_error_get_name(doca_error_t);  /* [30], [s210-303] */
const char *doca_error_get_descr(doca_error_t); /* [30], [s210-303] */

#endif
