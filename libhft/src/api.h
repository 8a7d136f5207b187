/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_API_H
#define HFT_API_H

/* A public function; the library is compiled with all others hidden. */
#define HFT_API		__attribute__((visibility("default")))

#endif /* HFT_API_H */
