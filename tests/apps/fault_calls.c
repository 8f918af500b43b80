/* SPDX-License-Identifier: ISC */
/* Preloaded into a program, makes its reads and writes of stream sockets do
 * less than they were asked, or fail. The file that FAULT_CALLS names is shared
 * with who says which: see struct order. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum fault { NONE, ONE_BYTE, AGAIN, RESET, PIPE };

static struct order {
	atomic_uint fault; /* enum fault */
	atomic_uint nth;   /* gets it, from 0; UINT_MAX: each second one */
	atomic_uint calls; /* so far */
	atomic_uint hits;
} none, *order = &none;

__attribute__((constructor)) static void
open_order(void)
{
	const char *path = getenv("FAULT_CALLS");
	int fd = path != NULL ? open(path, O_RDWR) : -1;
	void *page;

	if (fd < 0)
		return;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page != MAP_FAILED)
		order = page;
}

static enum fault
next_fault(int fd)
{
	int type = 0, listens = 0;
	socklen_t len = sizeof(type);
	unsigned n, nth;

	if (order == &none ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
	    type != SOCK_STREAM)
		return NONE;
	len = sizeof(listens);
	(void)getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
	if (listens)
		return NONE;
	n = atomic_fetch_add(&order->calls, 1);
	nth = atomic_load(&order->nth);
	if (nth == ~0u ? n % 2 == 0 : n != nth)
		return NONE;
	atomic_fetch_add(&order->hits, 1);
	return atomic_load(&order->fault);
}

static int
fails(enum fault fault)
{
	if (fault == AGAIN)
		errno = EAGAIN;
	else if (fault == RESET)
		errno = ECONNRESET;
	else if (fault == PIPE)
		errno = EPIPE;
	else
		return 0;
	return -1;
}

ssize_t
recv(int fd, void *to, size_t size, int flags)
{
	enum fault fault = (flags & MSG_PEEK) != 0 ? NONE : next_fault(fd);

	if (fails(fault == PIPE ? RESET : fault))
		return -1;
	if (fault == ONE_BYTE && size > 1)
		size = 1;
	return syscall(SYS_recvfrom, fd, to, size, flags, NULL, NULL);
}

ssize_t
send(int fd, const void *from, size_t size, int flags)
{
	enum fault fault = next_fault(fd);

	if (fails(fault))
		return -1;
	if (fault == ONE_BYTE && size > 1)
		size = 1;
	return syscall(SYS_sendto, fd, from, size, flags, NULL, 0);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	enum fault fault = next_fault(fd);

	if (fails(fault))
		return -1;
	if (fault == ONE_BYTE && message->msg_iovlen > 0 &&
	    message->msg_iov[0].iov_len > 0)
		return syscall(SYS_sendto, fd, message->msg_iov[0].iov_base, 1,
		    flags, NULL, 0);
	return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t
splice(int from, off64_t *in, int to, off64_t *out, size_t size, unsigned flags)
{
	enum fault fault = next_fault(from);

	if (fault == NONE)
		fault = next_fault(to);
	if (fails(fault))
		return -1;
	if (fault == ONE_BYTE && size > 1)
		size = 1;
	return syscall(SYS_splice, from, in, to, out, size, flags);
}
