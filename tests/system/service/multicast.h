// multicast.h - a channel with several receivers, in the kernel of the test.
#pragma once

void multicast(void);
