/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_CONTROL_INTERFACE_H
#define SEG_CONTROL_INTERFACE_H

/*
 * The interface descriptions segd shows to any Varlink client, its own and the
 * standard one, and the names of the errors that may come back.
 */

#define SEG_INTERFACE "org.segd"

/* Characters of a comment or ticket. Four bytes each at most, both fit beside the rest into a line of syslog,
 * of which rsyslog keeps 8 KiB. */
#define SEG_REMARK_MAX 500

extern const char seg_interface_segd[];
extern const char seg_interface_service[];

/* Ours; parameters as in the description. */
#define SEG_ERROR_REFUSED SEG_INTERFACE ".Refused" /* the kernel, the store or the policy says no */
#define SEG_ERROR_INVALID SEG_INTERFACE ".Invalid" /* a parameter has no meaning here */
#define SEG_ERROR_NOT_ALLOWED SEG_INTERFACE ".NotAllowed"
#define SEG_ERROR_BUSY SEG_INTERFACE ".Busy" /* too many clients, or too much unread */

/* The standard's. */
#define SEG_ERROR_INTERFACE_NOT_FOUND "org.varlink.service.InterfaceNotFound"
#define SEG_ERROR_METHOD_NOT_FOUND "org.varlink.service.MethodNotFound"
#define SEG_ERROR_INVALID_PARAMETER "org.varlink.service.InvalidParameter"
#define SEG_ERROR_EXPECTED_MORE "org.varlink.service.ExpectedMore"

#endif
