/* Preloaded into emulators that would listen on every interface: what binds to the wildcard address binds to
 * the loopback one. An emulator takes any credentials, so nobody but this machine may reach it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

typedef int (*binder)(int, const struct sockaddr *, socklen_t);

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    static binder real;
    if (!real)
        real = (binder)dlsym(RTLD_NEXT, "bind");
    if (address && address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in local;
        memcpy(&local, address, sizeof local);
        if (local.sin_addr.s_addr == htonl(INADDR_ANY))
            local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return real(fd, (const struct sockaddr *)&local, sizeof local);
    }
    if (address && address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 local;
        memcpy(&local, address, sizeof local);
        if (IN6_IS_ADDR_UNSPECIFIED(&local.sin6_addr)) {
            /* A dual-stack socket takes IPv4 through the mapped address, which is what our clients use. */
            inet_pton(AF_INET6, "::ffff:127.0.0.1", &local.sin6_addr);
        }
        return real(fd, (const struct sockaddr *)&local, sizeof local);
    }
    return real(fd, address, length);
}
