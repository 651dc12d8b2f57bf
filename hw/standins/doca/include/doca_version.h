/* The release that the stand-in plays: set with -DSTANDIN_RELEASE=207 for 2.7, 300 for 3.0. */
#ifndef STANDIN_DOCA_VERSION_H
#define STANDIN_DOCA_VERSION_H

#ifndef STANDIN_RELEASE
#define STANDIN_RELEASE 300
#endif

#define DOCA_VERSION_MAJOR (STANDIN_RELEASE / 100)
#define DOCA_VERSION_MINOR (STANDIN_RELEASE % 100)
#define DOCA_VERSION_PATCH 0

const char *doca_version_runtime(void); /* [30], [s210-303], by the marks of doca_flow.h */

#endif
